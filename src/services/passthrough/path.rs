//! A place in a message's body: `/FordelingsobjektAfsendRequest/anmodning/…/@id`, local names from the body's element down.

use std::borrow::Cow;
use std::fmt;

use crate::soap::document::Element;

/// The longest path, in steps: the strict reader's depth.
const STEPS: usize = 64;

/// A path. Names are local ones, as the violations of a schema tell places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    steps: Vec<String>,
    attribute: Option<String>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("\"{text}\" is not a path; write for instance \"/Leverance/Bilag/BilagID\" or \"/Leverance/@id\"");
        let mut steps: Vec<String> = text.strip_prefix('/').ok_or_else(form)?.split('/').map(str::to_owned).collect();
        let attribute = match steps.last().and_then(|last| last.strip_prefix('@')) {
            Some(name) => {
                let name = name.to_owned();
                steps.pop();
                Some(name)
            }
            None => None,
        };
        let fits = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let all = !steps.is_empty() && steps.len() <= STEPS && steps.iter().all(fits) && attribute.as_ref().is_none_or(fits);
        if all { Ok(Self { steps, attribute }) } else { Err(form()) }
    }

    /// The body's element.
    pub fn root(&self) -> &str {
        self.steps.first().map_or("", String::as_str)
    }

    /// The elements below the body's.
    pub fn below(&self) -> &[String] {
        self.steps.get(1..).unwrap_or_default()
    }

    /// The attribute of the last element, where the path leads to one.
    pub fn attribute(&self) -> Option<&str> {
        self.attribute.as_deref()
    }

    /// The values there, in document order; `None` for one with elements in it. A body with another element has none.
    pub fn values<'d>(&self, body: Element<'d>) -> Vec<Option<Cow<'d, str>>> {
        if body.local() != self.root() {
            return Vec::new();
        }
        let mut found = vec![body];
        for step in self.below() {
            found = found.into_iter().flat_map(|element| element.elements()).filter(|child| child.local() == step).collect();
        }
        match &self.attribute {
            Some(name) => {
                let attributes = found.into_iter().flat_map(|element| element.attributes());
                attributes.filter(|attribute| attribute.local == name).map(|attribute| Some(attribute.value.into())).collect()
            }
            None => found.into_iter().map(|element| element.value()).collect(),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| write!(f, "/{step}"))?;
        self.attribute.iter().try_for_each(|name| write!(f, "/@{name}"))
    }
}
