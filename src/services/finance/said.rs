//! What a delivery says, as a digest: the same by a call and by a file, with whatever prefixes, line breaks between elements and order
//! of attributes it is written.

use aws_lc_rs::digest::{Context, SHA256};

use crate::soap::document::Element;

/// So many bytes are digested at a time: thousands of short texts, each by itself, cost more than their bytes do.
const ROOM: usize = 4 * 1024;

/// The digest of one delivery.
pub struct Says {
    digest: Context,
    /// What is to be digested next.
    waiting: Vec<u8>,
}

impl Says {
    /// Begins with the root: its name and attributes.
    pub fn begin(root: Element<'_>) -> Self {
        let mut says = Self { digest: Context::new(&SHA256), waiting: Vec::with_capacity(ROOM) };
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
    pub fn finish(mut self) -> [u8; 32] {
        self.settle();
        let mut says = [0; 32];
        says.iter_mut().zip(self.digest.finish().as_ref()).for_each(|(to, from)| *to = *from);
        says
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > ROOM {
            self.settle();
        }
        match bytes.len() > ROOM {
            true => self.digest.update(bytes),
            false => self.waiting.extend_from_slice(bytes),
        }
    }

    fn settle(&mut self) {
        self.digest.update(&self.waiting);
        self.waiting.clear();
    }

    /// A text with its length before it, so that no two elements give the same bytes.
    fn text(&mut self, mark: u8, text: &str) {
        self.take(&[mark]);
        self.take(&(text.len() as u64).to_be_bytes());
        self.take(text.as_bytes());
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
        self.take(b">");
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

    #[test]
    fn the_bytes_that_are_digested_are_the_same_for_every_release_however_long_a_text_is() {
        for length in [0, 1, ROOM - 1, ROOM, ROOM + 1, 3 * ROOM] {
            let value = "x".repeat(length);
            let mut bytes = Vec::new();
            for (mark, text) in [
                (b'<', "urn:u"),
                (b':', "a"),
                (b'@', ""),
                (b':', "y"),
                (b'=', value.as_str()),
                (b'<', "urn:u"),
                (b':', "b"),
                (b'=', value.as_str()),
            ] {
                bytes.push(mark);
                bytes.extend((text.len() as u64).to_be_bytes());
                bytes.extend(text.as_bytes());
            }
            bytes.push(b'>');
            let expected = aws_lc_rs::digest::digest(&SHA256, &bytes);
            assert_eq!(says(&format!("<a xmlns='urn:u' y='{value}'><b>{value}</b></a>")), *expected.as_ref(), "{length}");
        }
    }
}
