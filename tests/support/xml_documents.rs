//! Generated documents: prefixes bound again and again, default namespaces taken back, every kind of text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A small generator with a seed, so that a failure can be repeated.
pub struct Random(pub u64);

impl Random {
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
    /// One of them.
    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

/// The prefixes that are bound, and bound again.
pub const PREFIXES: [&str; 5] = ["a", "b", "c", "ns1", "A"];
/// None with `&`: libxml2 2.9.14 writes it bare in a namespace name, which is not even well-formed.
const URIS: [&str; 4] = ["urn:x", "urn:y", "http://z.example/?q=1;r=2", "urn:X"];
const TEXTS: [&str; 9] = ["x", " \n\t", "&lt;&amp;&gt;", "æøå 𝔘", "&#13;", "a\r\nb\rc", "<![CDATA[<&>]]>", "\"'", "&#x9;&#xA;"];
const VALUES: [&str; 8] = ["", "v", "a\n\tb", "&#10;&#9;&#13;", "&lt;&amp;&quot;>", "'", "  two  ", "ø"];

/// Writes one element, with what `scope` binds around it.
pub fn element(random: &mut Random, depth: usize, scope: &BTreeMap<String, String>, out: &mut String) {
    let mut scope = scope.clone();
    let mut declared = BTreeMap::new();
    for _ in 0..random.below(4) {
        let prefix = random.pick(&PREFIXES);
        declared.insert(prefix.to_owned(), random.pick(&URIS).to_owned());
    }
    match random.below(6) {
        0 => drop(declared.insert(String::new(), random.pick(&URIS).to_owned())),
        1 => drop(declared.insert(String::new(), String::new())),
        _ => {}
    }
    scope.extend(declared.clone());
    let prefixes: Vec<String> = scope.keys().filter(|p| !p.is_empty()).cloned().collect();
    let name = |random: &mut Random, prefixed: bool| {
        let local = random.pick(&["e", "f", "Long-name.1", "ø", "_"]);
        match prefixes.is_empty() || !prefixed {
            true => local.to_owned(),
            false => format!("{}:{local}", prefixes[random.below(prefixes.len() as u64) as usize]),
        }
    };
    let prefixed = random.below(2) == 0;
    let tag = name(random, prefixed);
    let mut items: Vec<String> = declared
        .iter()
        .map(|(p, u)| if p.is_empty() { format!("xmlns=\"{u}\"") } else { format!("xmlns:{p}=\"{u}\"") })
        .collect();
    let mut seen = Vec::new();
    for _ in 0..random.below(4) {
        let prefixed = random.below(2) == 0;
        let attribute = name(random, prefixed);
        let (prefix, local) = attribute.split_once(':').unwrap_or(("", &attribute));
        let expanded = (if prefix.is_empty() { "" } else { &scope[prefix] }.to_owned(), local.to_owned());
        if !seen.contains(&expanded) {
            seen.push(expanded);
            items.push(format!("{attribute}=\"{}\"", random.pick(&VALUES)));
        }
    }
    if random.below(8) == 0 {
        items.push("xml:lang=\"da\"".to_owned());
    }
    for n in (1..items.len()).rev() {
        items.swap(n, random.below(n as u64 + 1) as usize);
    }
    write!(out, "<{tag}").unwrap();
    for item in items {
        write!(out, " {item}").unwrap();
    }
    if random.below(5) == 0 {
        out.push_str("/>");
        return;
    }
    out.push('>');
    for _ in 0..random.below(4) {
        match depth < 5 && random.below(3) > 0 {
            true => element(random, depth + 1, &scope, out),
            false => out.push_str(random.pick(&TEXTS)),
        }
    }
    write!(out, "</{tag}>").unwrap();
}

/// A whole document.
pub fn generated(seed: u64) -> String {
    let mut out = String::new();
    element(&mut Random(seed), 0, &BTreeMap::new(), &mut out);
    out
}
