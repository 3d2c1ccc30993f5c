//! Writes XML that is its own exclusive canonical form (Exclusive XML Canonicalization 1.0, without comments).
//!
//! The body of an answer is signed before it is sent and may be hundreds of megabytes: so it is generated twice, once into
//! the digest and once into the stream, and never held. That works only if the bytes sent are the bytes canonicalised: a
//! namespace is declared on the outermost element that visibly uses it and nowhere else, there are no empty-element tags,
//! and text is escaped as the standard says.

/// A namespace with the prefix it always has here. The order is that of the prefixes, in which declarations stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ns {
    /// The grant index.
    Bi,
    /// General definitions.
    Gd,
    /// The effectuation index.
    Oei,
    /// SagDok.
    Sd,
    /// SOAP 1.2.
    Soap,
    /// WS-Security utility, for `wsu:Id`.
    Wsu,
    /// The benefit index.
    Yi,
}

impl Ns {
    fn prefix(self) -> &'static str {
        match self {
            Ns::Bi => "bi",
            Ns::Gd => "gd",
            Ns::Oei => "oei",
            Ns::Sd => "sd",
            Ns::Soap => "soap",
            Ns::Wsu => "wsu",
            Ns::Yi => "yi",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Ns::Bi => super::names::BI,
            Ns::Gd => super::names::GD,
            Ns::Oei => super::names::OEI,
            Ns::Sd => super::names::SD,
            Ns::Soap => "http://www.w3.org/2003/05/soap-envelope",
            Ns::Wsu => "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
            Ns::Yi => super::names::YI,
        }
    }
}

/// The writer. Elements are opened and closed; what was written so far can be taken at any time.
#[derive(Debug, Default)]
pub struct Canonical {
    out: Vec<u8>,
    open: Vec<(Ns, &'static str, usize)>,
    declared: Vec<Ns>,
}

impl Canonical {
    /// Opens an element.
    pub fn open(&mut self, ns: Ns, local: &'static str) {
        self.start(ns, local, None);
    }

    /// Opens an element that has a `wsu:Id`.
    pub fn open_with_id(&mut self, ns: Ns, local: &'static str, id: &str) {
        self.start(ns, local, Some(id));
    }

    fn start(&mut self, ns: Ns, local: &'static str, id: Option<&str>) {
        self.open.push((ns, local, self.declared.len()));
        self.push(&["<", ns.prefix(), ":", local]);
        let mut used = vec![ns];
        used.extend(id.map(|_| Ns::Wsu));
        used.sort();
        used.dedup();
        for ns in used {
            if !self.declared.contains(&ns) {
                self.declared.push(ns);
                self.push(&[" xmlns:", ns.prefix(), "=\"", ns.name(), "\""]);
            }
        }
        if let Some(id) = id {
            // An id of our own making: letters, digits and hyphens.
            self.push(&[" wsu:Id=\"", id, "\""]);
        }
        self.push(&[">"]);
    }

    /// Closes the element opened last.
    pub fn close(&mut self) {
        if let Some((ns, local, declared)) = self.open.pop() {
            self.declared.truncate(declared);
            self.push(&["</", ns.prefix(), ":", local, ">"]);
        }
    }

    /// Writes text.
    pub fn text(&mut self, text: &str) {
        crate::signature::write::text(&mut self.out, text);
    }

    /// Writes an element that holds text only.
    pub fn leaf(&mut self, ns: Ns, local: &'static str, text: &str) {
        self.open(ns, local);
        self.text(text);
        self.close();
    }

    /// Writes an element where there is something to hold.
    pub fn maybe(&mut self, ns: Ns, local: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(ns, local, text);
        }
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn push(&mut self, parts: &[&str]) {
        for part in parts {
            self.out.extend_from_slice(part.as_bytes());
        }
    }
}
