//! Paths and filters (RFC 7644, 3.4.2.2 and 3.5.2), and which values they choose.

use serde_json::{Map, Value};

use super::Refusal;
use super::schemas::{Attribute, Kind, SCHEMAS, core, extension, named};

/// How deeply a filter may be nested.
const DEEPEST: usize = 20;

/// Where an attribute stands: in which extension, and which it is. None: the extension as a whole.
#[derive(Debug, Clone)]
pub struct Path {
    pub extension: Option<&'static str>,
    pub attribute: Option<&'static Attribute>,
    /// Which of its values.
    pub which: Option<Box<Filter>>,
    pub part: Option<&'static Attribute>,
}

#[derive(Debug, Clone)]
pub enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Is(Path, Compare, Value),
    Present(Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equal,
    Unequal,
    Contains,
    Starts,
    Ends,
    Above,
    AtLeast,
    Below,
    AtMost,
}

fn wrong(what: &str) -> Refusal {
    Refusal::of(400, "invalidFilter", format!("the filter or path cannot be read: {what}"))
}

struct Reader<'t> {
    rest: &'t str,
    /// The attributes that names without a URN are looked up in: those of a complex one inside `[]`.
    within: Option<&'static [Attribute]>,
}

/// Reads a filter.
pub fn filter(text: &str) -> Result<Filter, Refusal> {
    let mut reader = Reader { rest: text, within: None };
    let filter = reader.or(0)?;
    if reader.rest.trim().is_empty() { Ok(filter) } else { Err(wrong("something stands behind its end")) }
}

/// Reads a path.
pub fn path(text: &str) -> Result<Path, Refusal> {
    let mut reader = Reader { rest: text.trim(), within: None };
    let path = reader.path(0).map_err(|refusal| Refusal { kind: "invalidPath", ..refusal })?;
    if reader.rest.trim().is_empty() {
        Ok(path)
    } else {
        Err(Refusal::of(400, "invalidPath", "something stands behind the path"))
    }
}

impl<'t> Reader<'t> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, text: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A word of these letters, without its case.
    fn takes_word(&mut self, word: &str) -> bool {
        self.skip();
        let Some((head, rest)) = self.rest.split_at_checked(word.len()) else { return false };
        let ends = rest.chars().next().is_none_or(|next| next.is_whitespace() || "()[]".contains(next));
        if head.eq_ignore_ascii_case(word) && ends {
            self.rest = rest;
            return true;
        }
        false
    }

    fn or(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let mut left = self.and(depth)?;
        while self.takes_word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Filter, Refusal> {
        let mut left = self.term(depth)?;
        while self.takes_word("and") {
            left = Filter::And(Box::new(left), Box::new(self.term(depth)?));
        }
        Ok(left)
    }

    fn term(&mut self, depth: usize) -> Result<Filter, Refusal> {
        if depth > DEEPEST {
            return Err(wrong("it is nested too deeply"));
        }
        if self.takes_word("not") {
            let inner = self.term(depth + 1)?;
            return Ok(Filter::Not(Box::new(inner)));
        }
        if self.takes("(") {
            let inner = self.or(depth + 1)?;
            return if self.takes(")") { Ok(inner) } else { Err(wrong("a bracket is not closed")) };
        }
        let path = self.path(depth)?;
        if self.takes_word("pr") || path.which.is_some() && path.part.is_none() && self.at_end() {
            return Ok(Filter::Present(path));
        }
        const WORDS: [(&str, Compare); 9] = [
            ("eq", Compare::Equal),
            ("ne", Compare::Unequal),
            ("co", Compare::Contains),
            ("sw", Compare::Starts),
            ("ew", Compare::Ends),
            ("gt", Compare::Above),
            ("ge", Compare::AtLeast),
            ("lt", Compare::Below),
            ("le", Compare::AtMost),
        ];
        let found = WORDS.into_iter().find(|(word, _)| self.takes_word(word));
        let (_, compare) = found.ok_or_else(|| wrong("there is no comparison"))?;
        Ok(Filter::Is(path, compare, self.value()?))
    }

    fn at_end(&mut self) -> bool {
        self.skip();
        self.rest.is_empty() || self.rest.starts_with([')', ']']) || {
            let word = self.rest.get(..3).unwrap_or_default().to_ascii_lowercase();
            word.starts_with("or ") || word == "and"
        }
    }

    fn value(&mut self) -> Result<Value, Refusal> {
        self.skip();
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let value = values.next().and_then(Result::ok).ok_or_else(|| wrong("there is no value"))?;
        self.rest = self.rest.get(values.byte_offset()..).unwrap_or_default();
        Ok(value)
    }

    fn path(&mut self, depth: usize) -> Result<Path, Refusal> {
        self.skip();
        let mut of = None;
        if self.within.is_none() && self.rest.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("urn:")) {
            let starts = |urn: &str| self.rest.get(..urn.len()).is_some_and(|head| head.eq_ignore_ascii_case(urn));
            let (urn, ..) = SCHEMAS.into_iter().find(|(urn, ..)| starts(urn)).ok_or_else(|| wrong("there is no such schema"))?;
            self.rest = self.rest.get(urn.len()..).unwrap_or_default();
            of = extension(urn);
            if !self.rest.starts_with(':') {
                let whole = of.ok_or_else(|| wrong("the user as a whole has no path"))?;
                return Ok(Path { extension: Some(whole.0), attribute: None, which: None, part: None });
            }
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        let name = self.name()?;
        let found = match (self.within, of) {
            (Some(within), _) => named(within, name),
            (None, Some((_, attributes))) => named(attributes, name),
            (None, None) => core(name),
        };
        let attribute = found.ok_or_else(|| wrong("there is no such attribute"))?;
        let mut which = None;
        if self.rest.starts_with('[') {
            if depth > DEEPEST || attribute.kind != Kind::Complex {
                return Err(wrong("there is nothing to choose between"));
            }
            self.rest = self.rest.get(1..).unwrap_or_default();
            let mut inner = Reader { rest: self.rest, within: Some(attribute.parts) };
            which = Some(Box::new(inner.or(depth + 1)?));
            self.rest = inner.rest;
            if !self.takes("]") {
                return Err(wrong("a bracket is not closed"));
            }
        }
        let mut part = None;
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            part = Some(named(attribute.parts, self.name()?).ok_or_else(|| wrong("there is no such part"))?);
        }
        Ok(Path { extension: of.map(|(urn, _)| urn), attribute: Some(attribute), which, part })
    }

    fn name(&mut self) -> Result<&'t str, Refusal> {
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "$-_".contains(c))).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        if name.is_empty() { Err(wrong("a name is missing")) } else { Ok(name) }
    }
}

impl Path {
    /// The values that it leads to.
    fn values<'v>(&self, user: &'v Map<String, Value>) -> Vec<&'v Value> {
        let holder = match self.extension {
            Some(urn) => user.get(urn).and_then(Value::as_object),
            None => Some(user),
        };
        let (Some(holder), Some(attribute)) = (holder, self.attribute) else { return Vec::new() };
        let found: Vec<&Value> = match holder.get(attribute.name) {
            Some(Value::Array(values)) => values.iter().collect(),
            Some(value) => vec![value],
            None => Vec::new(),
        };
        let chosen = found.into_iter().filter(|value| match (&self.which, value.as_object()) {
            (Some(which), Some(value)) => which.holds(value),
            (Some(_), None) => false,
            (None, _) => true,
        });
        match self.part {
            Some(part) => chosen.filter_map(|value| value.get(part.name)).collect(),
            // Of a complex one its value.
            None if self.which.is_none() => {
                chosen.map(|value| value.get("value").filter(|_| value.is_object()).unwrap_or(value)).collect()
            }
            None => chosen.collect(),
        }
    }

    fn is_exact(&self) -> bool {
        self.part.or(self.attribute).is_some_and(|attribute| attribute.exact)
    }
}

impl Filter {
    /// Whether it holds of a user, or of one of a user's values.
    pub fn holds(&self, user: &Map<String, Value>) -> bool {
        match self {
            Self::And(left, right) => left.holds(user) && right.holds(user),
            Self::Or(left, right) => left.holds(user) || right.holds(user),
            Self::Not(inner) => !inner.holds(user),
            Self::Present(path) => !path.values(user).is_empty(),
            Self::Is(path, Compare::Unequal, value) => {
                !path.values(user).into_iter().any(|is| holds(is, Compare::Equal, value, path.is_exact()))
            }
            Self::Is(path, compare, value) => path.values(user).into_iter().any(|is| holds(is, *compare, value, path.is_exact())),
        }
    }
}

fn holds(is: &Value, compare: Compare, value: &Value, exact: bool) -> bool {
    let (Value::String(is), Value::String(value)) = (is, value) else { return compare == Compare::Equal && is == value };
    let folded = |text: &String| if exact { text.clone() } else { text.to_lowercase() };
    let (is, value) = (folded(is), folded(value));
    match compare {
        Compare::Equal => is == value,
        Compare::Unequal => is != value,
        Compare::Contains => is.contains(&value),
        Compare::Starts => is.starts_with(&value),
        Compare::Ends => is.ends_with(&value),
        Compare::Above => is > value,
        Compare::AtLeast => is >= value,
        Compare::Below => is < value,
        Compare::AtMost => is <= value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(text: &str) -> bool {
        let user = json!({
            "userName": "Anna.Prøve", "externalId": "A7", "active": true,
            "name": {"familyName": "Prøve"},
            "emails": [{"value": "anna@work.example", "type": "work"}, {"value": "a@home.example", "type": "home"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "17"},
        });
        filter(text).unwrap_or_else(|refusal| panic!("{text}: {}", refusal.detail)).holds(user.as_object().unwrap())
    }

    #[test]
    fn filters_of_the_standard_choose_what_it_says() {
        for (text, expected) in [
            ("userName eq \"anna.prøve\"", true),
            ("externalId eq \"a7\"", false),
            ("externalId eq \"A7\"", true),
            ("active eq true", true),
            ("active eq \"true\"", false),
            ("name.familyName sw \"PR\"", true),
            ("title pr", false),
            ("not (title pr)", true),
            ("title pr or emails co \"home\"", true),
            ("emails[type eq \"work\" and value co \"@home\"]", false),
            ("emails[type eq \"work\"].value ew \"work.example\"", true),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber ge \"17\"", true),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName ne \"x\" and userName pr", true),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        for text in ["", "userName", "userName eq", "userName eq anna", "(userName pr", "nothing pr", "userName pr userName pr"] {
            assert!(filter(text).is_err(), "{text}");
        }
        assert!(filter(&"(".repeat(10_000)).is_err());
        assert!(filter(&"not ".repeat(10_000)).is_err());
    }
}
