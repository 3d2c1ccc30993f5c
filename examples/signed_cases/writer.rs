//! Writes XML in as many spellings as there are: prefixes that mean different things in different places, default
//! namespaces, attributes in any order and either quotes, white space in tags and between them, references to characters.

use std::collections::BTreeMap;

use hjemmel::signature::names::{SOAP11, SOAP12, WSSE11, WSU};

use crate::xml_documents::{PREFIXES, Random};

/// The names of attributes' namespaces stand beside each other on one tag, so their prefixes are their own.
const OF_ATTRIBUTES: [&str; 5] = [SOAP11, SOAP12, WSU, WSSE11, "http://www.w3.org/2001/XMLSchema-instance"];

pub struct Writer<'r> {
    pub random: &'r mut Random,
    out: String,
    /// Prefix and name, innermost last.
    scope: Vec<(String, String)>,
    /// The open elements: name as written, length of `scope` outside.
    open: Vec<(String, usize)>,
    prefixes: BTreeMap<&'static str, String>,
    taken: Vec<String>,
    pretty: bool,
    calm: bool,
}

impl<'r> Writer<'r> {
    pub fn new(random: &'r mut Random) -> Self {
        let (pretty, calm) = (random.below(3) == 0, random.below(3) == 0);
        Self {
            random,
            out: String::new(),
            scope: Vec::new(),
            open: Vec::new(),
            prefixes: BTreeMap::new(),
            taken: Vec::new(),
            pretty,
            calm,
        }
    }

    pub fn finish(self) -> String {
        self.out
    }

    /// What stands around the element that comes next.
    pub fn bound(&self) -> BTreeMap<String, String> {
        self.scope.iter().filter(|(prefix, _)| !prefix.is_empty()).cloned().collect()
    }

    pub fn raw(&mut self, xml: &str) {
        self.out.push_str(xml);
    }

    pub fn inherit(&mut self, bound: &[(&str, &str)]) {
        self.scope.extend(bound.iter().map(|(prefix, name)| ((*prefix).to_owned(), (*name).to_owned())));
    }

    fn binding(&self, prefix: &str) -> Option<&str> {
        self.scope.iter().rev().find(|(known, _)| known == prefix).map(|(_, name)| name.as_str())
    }

    /// The prefix of a namespace, chosen when it is first met. Elements' namespaces may share one: it is bound again.
    fn prefix(&mut self, namespace: &'static str) -> String {
        if let Some(known) = self.prefixes.get(namespace) {
            return known.clone();
        }
        let chosen = if OF_ATTRIBUTES.contains(&namespace) {
            let pool = ["soap", "s", "wsu", "u", "t", "wsse11", "i", "A", "ns1", "xsi"];
            loop {
                let one = self.random.pick(&pool).to_owned();
                if !self.taken.contains(&one) {
                    self.taken.push(one.clone());
                    break one;
                }
            }
        } else {
            match self.random.below(3) {
                0 => String::new(),
                1 => self.random.pick(&PREFIXES[..3]).to_owned(),
                _ => format!("p{}", self.prefixes.len()),
            }
        };
        self.prefixes.insert(namespace, chosen.clone());
        chosen
    }

    pub fn start(&mut self, namespace: &'static str, local: &str, attributes: &[(&'static str, &str, &str)]) {
        self.start_with(namespace, local, attributes, &[]);
    }

    /// A start tag with declarations that only values need.
    pub fn start_with(
        &mut self,
        namespace: &'static str,
        local: &str,
        attributes: &[(&'static str, &str, &str)],
        declare: &[(&str, &str)],
    ) {
        self.break_line();
        let outside = self.scope.len();
        let prefix = self.prefix(namespace);
        let name = qualified(&prefix, local);
        let mut items = Vec::new();
        let mut wanted = vec![(prefix, namespace.to_owned())];
        for (namespace, local, value) in attributes {
            let prefix = if namespace.is_empty() { String::new() } else { self.prefix(namespace) };
            items.push((qualified(&prefix, local), (*value).to_owned()));
            if !namespace.is_empty() {
                wanted.push((prefix, (*namespace).to_owned()));
            }
        }
        wanted.extend(declare.iter().map(|(prefix, name)| ((*prefix).to_owned(), (*name).to_owned())));
        if self.open.is_empty() && self.random.below(2) == 0 {
            // Declared far out, as most toolkits do: an inclusive list or a rebound prefix then matters.
            for prefix in PREFIXES {
                if !wanted.iter().any(|(known, _)| known == prefix) {
                    wanted.push((prefix.to_owned(), format!("urn:far:{prefix}")));
                }
            }
        }
        let mut declared: Vec<String> = Vec::new();
        for (prefix, name) in wanted {
            let superfluous = self.random.below(16) == 0;
            if !declared.contains(&prefix) && (superfluous || self.binding(&prefix) != Some(&name)) {
                let item = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
                items.push((item, name.clone()));
                self.scope.push((prefix.clone(), name));
                declared.push(prefix);
            }
        }
        for n in (1..items.len()).rev() {
            let other = self.random.below(n as u64 + 1) as usize;
            items.swap(n, other);
        }
        self.out.push_str(&format!("<{name}"));
        for (item, value) in items {
            let between = if self.calm { " " } else { self.random.pick(&[" ", " ", " ", "  ", "\n ", "\t", "\r\n"]) };
            let quote = if self.random.below(4) == 0 { '\'' } else { '"' };
            let equals = if self.calm { "=" } else { self.random.pick(&["=", "=", "=", " = "]) };
            let value = escaped(&value, Some(quote));
            self.out.push_str(&format!("{between}{item}{equals}{quote}{value}{quote}"));
        }
        self.out.push('>');
        self.open.push((name, outside));
    }

    pub fn end(&mut self) {
        self.break_line();
        self.close();
    }

    fn close(&mut self) {
        let (name, outside) = self.open.pop().unwrap();
        self.scope.truncate(outside);
        let space = if self.random.below(8) == 0 && !self.calm { "\n" } else { "" };
        self.out.push_str(&format!("</{name}{space}>"));
    }

    pub fn leaf(&mut self, namespace: &'static str, local: &str, attributes: &[(&'static str, &str, &str)], text: &str) {
        self.start(namespace, local, attributes);
        if text.is_empty() && self.random.below(2) == 0 {
            self.out.pop();
            self.out.push_str("/>");
            let (_, outside) = self.open.pop().unwrap();
            self.scope.truncate(outside);
            return;
        }
        let text = escaped(text, None);
        self.out.push_str(&text);
        self.close();
    }

    fn break_line(&mut self) {
        if self.pretty && !self.open.is_empty() {
            let indent = "  ".repeat(self.open.len());
            self.out.push_str(self.random.pick(&["\n", "\n", "\r\n"]));
            self.out.push_str(&indent);
        }
    }
}

fn qualified(prefix: &str, local: &str) -> String {
    if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") }
}

/// Text as it must be written for this very text to be read.
fn escaped(text: &str, quote: Option<char>) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' if quote.is_some() => out.push_str(&format!("&#{};", u32::from(c))),
            '"' | '\'' if quote == Some(c) => out.push_str(if c == '"' { "&quot;" } else { "&apos;" }),
            _ => out.push(c),
        }
    }
    out
}
