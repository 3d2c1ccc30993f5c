//! Writes the rebuilt answer as exclusive canonical XML (Exclusive XML Canonicalization 1.0), so that it can be signed
//! as it stands: each namespace is declared where it is first used and nowhere else, and nothing comes from the index
//! but text that a rule released.

use super::place::Ns;

impl Ns {
    fn prefix(self) -> &'static str {
        match self {
            Self::Yi => "yi",
            Self::Oei => "oei",
            Self::Bi => "bi",
            Self::Gd => "gd",
            Self::Sd => "sd",
        }
    }

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// A piece of canonical XML being written.
#[derive(Debug)]
pub(super) struct Writer {
    out: Vec<u8>,
    open: Vec<(Ns, &'static str)>,
    /// The namespaces declared outside each open element, and at the end those in force.
    declared: Vec<u8>,
}

impl Writer {
    /// A piece that stands where nothing is declared.
    pub(super) fn document() -> Self {
        Self::new(Vec::with_capacity(1024), 0)
    }

    /// A piece that stands directly in `yi:FremsoegYdelseIndeksOutput`, written behind what is in `out`.
    pub(super) fn inside_output(out: Vec<u8>) -> Self {
        Self::new(out, Ns::Yi.bit())
    }

    fn new(out: Vec<u8>, in_force: u8) -> Self {
        // As deep as an object is.
        let (open, mut declared) = (Vec::with_capacity(8), Vec::with_capacity(8));
        declared.push(in_force);
        Self { out, open, declared }
    }

    pub(super) fn open(&mut self, ns: Ns, local: &'static str) {
        let declared = self.declared.last().copied().unwrap_or(0);
        self.push(&["<", ns.prefix(), ":", local]);
        if declared & ns.bit() == 0 {
            self.push(&[" xmlns:", ns.prefix(), "=\"", ns.uri(), "\""]);
        }
        self.push(&[">"]);
        self.declared.push(declared | ns.bit());
        self.open.push((ns, local));
    }

    pub(super) fn close(&mut self) {
        if let Some((ns, local)) = self.open.pop() {
            self.declared.pop();
            self.push(&["</", ns.prefix(), ":", local, ">"]);
        }
    }

    pub(super) fn leaf(&mut self, ns: Ns, local: &'static str, text: &str) {
        self.open(ns, local);
        for piece in text.split_inclusive(['&', '<', '>', '\r']) {
            let mut characters = piece.chars();
            let escaped = match characters.next_back() {
                Some('&') => "&amp;",
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('\r') => "&#xD;",
                _ => {
                    self.push(&[piece]);
                    continue;
                }
            };
            self.push(&[characters.as_str(), escaped]);
        }
        self.close();
    }

    fn push(&mut self, pieces: &[&str]) {
        for piece in pieces {
            self.out.extend_from_slice(piece.as_bytes());
        }
    }

    /// What was written; elements still open stay open.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}
