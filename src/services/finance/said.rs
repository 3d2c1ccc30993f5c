//! What a delivery says, as a digest: the same by a call and by a file, with whatever prefixes, line breaks between elements and order
//! of attributes it is written.

use aws_lc_rs::digest::{Context, SHA256};

use crate::soap::document::Element;

/// The digest of one delivery.
pub struct Says(Context);

impl Says {
    /// Begins with the root: its name and attributes.
    pub fn begin(root: Element<'_>) -> Self {
        let mut says = Self(Context::new(&SHA256));
        says.head(root);
        says
    }

    /// Takes the root's children that are at hand; of a file, those of one piece after the other.
    pub fn children(&mut self, root: Element<'_>) {
        for child in root.elements() {
            self.element(child);
        }
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        let mut says = [0; 32];
        says.iter_mut().zip(self.0.finish().as_ref()).for_each(|(to, from)| *to = *from);
        says
    }

    /// A text with its length before it, so that no two elements give the same bytes.
    fn text(&mut self, mark: u8, text: &str) {
        self.0.update(&[mark]);
        self.0.update(&(text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn head(&mut self, element: Element<'_>) {
        self.text(b'<', element.namespace());
        self.text(b':', element.local());
        let mut attributes: Vec<_> = element.attributes().map(|found| (found.namespace, found.local, found.value)).collect();
        attributes.sort_unstable();
        for (namespace, local, value) in attributes {
            self.text(b'@', namespace);
            self.text(b':', local);
            self.text(b'=', value);
        }
    }

    // As deep as the schema lets elements stand in each other.
    fn element(&mut self, element: Element<'_>) {
        self.head(element);
        // The schema has no element with both, so what stands between elements is white space.
        match element.elements().next() {
            Some(_) => self.children(element),
            None => self.text(b'=', &element.value().unwrap_or_default()),
        }
        self.0.update(b">");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::document::Document;
    use crate::soap::strict::Limits;

    fn says(xml: &str) -> [u8; 32] {
        let document = Document::parse(xml.as_bytes().to_vec().into(), &Limits::default()).unwrap();
        let mut says = Says::begin(document.root());
        says.children(document.root());
        says.finish()
    }

    #[test]
    fn what_is_written_in_another_way_says_the_same_and_what_says_something_else_does_not() {
        let one = says("<a xmlns='urn:u' x='1' y='2'><b>t</b><c><b/></c></a>");
        for same in [
            "<p:a xmlns:p='urn:u' y='2' x='1'>\n  <p:b>t</p:b>\n  <p:c>\n<p:b></p:b></p:c>\n</p:a>",
            "<a xmlns='urn:u' x='1' y='2'><!-- -->\n<b><![CDATA[t]]></b><c><q:b xmlns:q='urn:u'/></c></a>",
        ] {
            assert_eq!(says(same), one, "{same}");
        }
        for other in [
            "<a xmlns='urn:v' x='1' y='2'><b>t</b><c><b/></c></a>",
            "<a xmlns='urn:u' x='1' y='3'><b>t</b><c><b/></c></a>",
            "<a xmlns='urn:u' x='1'><b>t</b><c><b/></c></a>",
            "<a xmlns='urn:u' x='1' y='2'><b>t </b><c><b/></c></a>",
            "<a xmlns='urn:u' x='1' y='2'><b><![CDATA[s]]></b><c><b/></c></a>",
            "<a xmlns='urn:u' x='1' y='2'><b>s<!-- -->t</b><c><b/></c></a>",
            "<a xmlns='urn:u' x='1' y='2'><b>t</b><c/><b/></a>",
            "<a xmlns='urn:u' x='1' y='2'><c><b/></c><b>t</b></a>",
            "<a xmlns='urn:u' x='1' y='2'><b>t</b><c><b/><b/></c></a>",
        ] {
            assert_ne!(says(other), one, "{other}");
        }
    }
}
