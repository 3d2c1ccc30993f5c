//! What a contract lets pass, in a form that outlives its files, so that a later contract can be held against it: does it let more pass?
//!
//! Documentation, comments, layout, addresses, file names and prefixes are left out: they let nothing pass. What is left are components
//! (declarations at the top of a schema), each with what it *gives* (elements, attributes, types that it uses) and what *limits* it (the
//! values of an enumeration, patterns, bounds, how often). A contract is wider than another where it gives something more, or where a limit
//! is gone or looser; anything that cannot be shown to be narrower counts as wider. An element that became optional, or stands elsewhere
//! in its sequence, is no wider: nothing comes that did not come before.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::source::{self, Sources};
use crate::soap::document::Element;
use crate::soap::names::XSD;

/// The most lines that are reported.
const TOLD: usize = 40;

/// One declaration at the top of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    /// What it gives, a line each.
    gives: BTreeSet<String>,
    /// What limits each line, by the name of the limit.
    limits: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// The names that it uses.
    uses: BTreeSet<String>,
    /// The names in whose place it may stand: its base, the head of its substitution group.
    instead_of: BTreeSet<String>,
    /// Whether anything at all may stand in it somewhere.
    open: bool,
}

/// What a contract lets pass.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// By kind and name.
    components: BTreeMap<String, Component>,
    /// The elements of each operation's messages.
    operations: BTreeMap<String, BTreeSet<String>>,
}

fn name_of(namespace: &str, local: &str) -> String {
    format!("{{{namespace}}}{local}")
}

impl Meaning {
    /// Of these documents; those that are no schemas are left out.
    pub fn of(sources: &Sources) -> Self {
        let mut meaning = Self::default();
        for text in sources.paths().filter_map(|path| sources.get(path)) {
            let Ok(document) = source::parse(text) else { continue };
            let root = document.root();
            if root.is(XSD, "schema") {
                meaning.add(root);
            }
        }
        meaning
    }

    /// The same with an operation, and the elements (namespace and local name) of its messages.
    #[must_use]
    pub fn with<'n>(mut self, operation: &str, elements: impl IntoIterator<Item = (&'n str, &'n str)>) -> Self {
        let names = elements.into_iter().map(|(namespace, local)| name_of(namespace, local));
        self.operations.entry(operation.to_owned()).or_default().extend(names);
        self
    }

    /// Its operations.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }

    fn add(&mut self, schema: Element<'_>) {
        let target = schema.attribute("", "targetNamespace").unwrap_or("");
        let defaults: Vec<_> = ["elementFormDefault", "attributeFormDefault", "blockDefault", "finalDefault"]
            .iter()
            .filter_map(|name| schema.attribute("", name).map(|value| format!("{name}={value}")))
            .collect();
        let redefined = schema.elements().filter(|child| child.is(XSD, "redefine") || child.is(XSD, "override"));
        let inside = redefined.flat_map(|child| child.elements());
        for declared in schema.elements().chain(inside).filter(|child| child.namespace() == XSD) {
            let Some(name) = declared.attribute("", "name") else { continue };
            let key = format!("{} {}", declared.local(), name_of(target, name));
            let component = self.components.entry(key).or_default();
            component.gives.insert(format!("({})", defaults.join(" ")));
            component.read(declared, "");
        }
    }

    /// The components that a message of an operation may be made of.
    fn reach(&self, operation: &str, index: &Index<'_>) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut names: Vec<&str> = self.operations.get(operation).into_iter().flatten().map(String::as_str).collect();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        while let Some(name) = names.pop() {
            if !seen.insert(name) {
                continue;
            }
            for key in index.of(name) {
                let Some((key, component)) = self.components.get_key_value(*key).filter(|(key, _)| reached.insert(key.as_str()))
                else {
                    continue;
                };
                names.extend(component.uses.iter().map(String::as_str));
                // What may stand in its place may come, too.
                names.extend(own_name(key));
                if component.open {
                    names.extend(self.components.keys().filter_map(|key| own_name(key)));
                }
            }
        }
        reached
    }

    /// What this contract lets pass in an operation's messages beyond what `before` did, a line each; nothing: it is no wider. `None`
    /// for an operation: in any.
    pub fn beyond(&self, before: &Self, operation: Option<&str>) -> Vec<String> {
        let (mut found, index) = (BTreeSet::new(), Index::new(&self.components));
        for name in self.operations().filter(|name| operation.is_none_or(|wanted| wanted == *name)) {
            let Some(known) = before.operations.get(name) else {
                found.insert(format!("+ operation {name}"));
                continue;
            };
            let own = self.operations.get(name).into_iter().flatten();
            found.extend(own.filter(|element| !known.contains(*element)).map(|element| format!("+ operation {name}: {element}")));
            for key in self.reach(name, &index) {
                let (Some(own), known) = (self.components.get(key), before.components.get(key)) else { continue };
                match known {
                    Some(known) => found.extend(own.beyond(known).into_iter().map(|line| format!("+ {key}{line}"))),
                    None => {
                        found.insert(format!("+ {key}"));
                    }
                }
            }
        }
        if operation.is_some_and(|wanted| !self.operations.contains_key(wanted)) {
            found.insert(format!("+ operation {}", operation.unwrap_or_default()));
        }
        let more = found.len().saturating_sub(TOLD);
        let mut told: Vec<_> = found.into_iter().take(TOLD).collect();
        if more > 0 {
            told.push(format!("+ … ({more})"));
        }
        told
    }
}

fn own_name(key: &str) -> Option<&str> {
    key.split_once(' ').map(|(_, name)| name)
}

fn local(name: &str) -> &str {
    name.rsplit('}').next().unwrap_or(name)
}

/// The components by the names under which they may come.
struct Index<'m> {
    named: BTreeMap<&'m str, Vec<&'m str>>,
    by_local: BTreeMap<&'m str, Vec<&'m str>>,
}

impl<'m> Index<'m> {
    fn new(components: &'m BTreeMap<String, Component>) -> Self {
        let (mut named, mut by_local) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for (key, component) in components {
            let instead = component.instead_of.iter().map(String::as_str);
            for name in own_name(key).into_iter().chain(instead) {
                named.entry(name).or_default().push(key.as_str());
                by_local.entry(local(name)).or_default().push(key.as_str());
            }
        }
        Self { named, by_local }
    }

    fn of(&self, name: &str) -> &[&'m str] {
        // A document that is included without a namespace takes its includer's: its names are found by their local part.
        let own = || self.by_local.get(local(name)).filter(|_| !name.starts_with(&name_of(XSD, "")));
        self.named.get(name).or_else(own).map_or(&[], Vec::as_slice)
    }
}

/// Which way a limit is narrower.
fn no_looser(limit: &str, before: &BTreeSet<String>, after: &BTreeSet<String>) -> bool {
    let number = |values: &BTreeSet<String>| match values.iter().collect::<Vec<_>>().as_slice() {
        [one] if *one == "unbounded" => Some(i128::MAX),
        [one] => one.parse::<i128>().ok(),
        _ => None,
    };
    let both = number(before).zip(number(after));
    match limit {
        "maxOccurs" | "maxLength" | "maxInclusive" | "maxExclusive" | "totalDigits" | "fractionDigits" => {
            before == after || both.is_some_and(|(before, after)| after <= before)
        }
        "minLength" | "minInclusive" | "minExclusive" => before == after || both.is_some_and(|(before, after)| after >= before),
        // Values that may be chosen, each of which gives one.
        "enumeration" => after.is_subset(before),
        // Attributes that must not be there.
        "prohibited" => before.is_subset(after),
        _ => before == after,
    }
}

impl Component {
    fn beyond(&self, before: &Self) -> Vec<String> {
        let mut found: Vec<_> = self.gives.difference(&before.gives).cloned().collect();
        for (line, limits) in &before.limits {
            // A limit that went with what it limited is not missed.
            if !self.gives.contains(line) {
                continue;
            }
            for (name, values) in limits {
                let now = self.limits.get(line).and_then(|limits| limits.get(name));
                if now.is_none_or(|now| !no_looser(name, values, now)) {
                    let joined = |values: &BTreeSet<String>| values.iter().map(String::as_str).collect::<Vec<_>>().join(" | ");
                    found.push(format!("{line}: {name} {} → {}", joined(values), now.map_or("-".to_owned(), joined)));
                }
            }
        }
        found
    }

    fn limit(&mut self, line: &str, name: &str, value: &str) {
        let limits = self.limits.entry(line.to_owned()).or_default();
        limits.entry(name.to_owned()).or_default().insert(value.to_owned());
    }

    /// Takes in a node of the schema that stands at `path`, and all below it.
    fn read(&mut self, node: Element<'_>, path: &str) {
        let mut name = node.local().to_owned();
        let mut said = Vec::new();
        for attribute in node.attributes() {
            let (key, value) = (attribute.local, attribute.value);
            let is_names = matches!(key, "type" | "ref" | "base" | "itemType" | "memberTypes" | "substitutionGroup" | "refer");
            match key {
                "name" => name += &format!(" {value}"),
                "id" | "minOccurs" | "maxOccurs" | "use" | "schemaLocation" => {}
                _ if is_names && attribute.namespace.is_empty() => {
                    let names: Vec<_> = value.split_ascii_whitespace().map(|name| resolved(node, name)).collect();
                    if key == "base" || key == "substitutionGroup" {
                        self.instead_of.extend(names.iter().cloned());
                    }
                    self.open |= names.iter().any(|name| *name == name_of(XSD, "anyType"));
                    self.uses.extend(names.iter().cloned());
                    said.push(format!("{key}={}", names.join(" ")));
                }
                _ => said.push(format!("{key}={value}")),
            }
        }
        said.sort();
        let here = format!("{path}/{name}");
        let mut line = if said.is_empty() { here.clone() } else { format!("{here} [{}]", said.join(", ")) };
        // The same once more is one more.
        let mut nth = 1;
        while self.gives.contains(&line) {
            nth += 1;
            line = format!("{here} [{}] #{nth}", said.join(", "));
        }
        self.gives.insert(line.clone());
        let particle = matches!(node.local(), "element" | "any" | "group" | "sequence" | "choice" | "all");
        if particle && !path.is_empty() {
            self.limit(&line, "maxOccurs", node.attribute("", "maxOccurs").unwrap_or("1"));
        }
        let children = || node.elements().filter(|child| child.namespace() == XSD);
        let untyped = node.is(XSD, "element")
            && ["type", "ref", "substitutionGroup"].iter().all(|name| node.attribute("", name).is_none())
            && !children().any(|child| matches!(child.local(), "simpleType" | "complexType"));
        self.open |= untyped || matches!(node.local(), "any" | "anyAttribute");
        for child in children() {
            let value = child.attribute("", "value").unwrap_or("");
            match child.local() {
                "annotation" | "notation" => {}
                "enumeration" | "pattern" | "length" | "minLength" | "maxLength" | "minInclusive" | "maxInclusive"
                | "minExclusive" | "maxExclusive" | "totalDigits" | "fractionDigits" | "whiteSpace" => {
                    self.limit(&line, child.local(), value)
                }
                "key" | "unique" | "keyref" | "assert" | "assertion" | "explicitTimezone" => {
                    self.limit(&line, child.local(), &written(child));
                }
                "attribute" if child.attribute("", "use") == Some("prohibited") => {
                    let of = child.attribute("", "name").or(child.attribute("", "ref")).unwrap_or("");
                    self.limit(&line, "prohibited", of);
                }
                _ => self.read(child, &here),
            }
        }
    }
}

/// A node as text, without what says nothing.
fn written(node: Element<'_>) -> String {
    let nodes = node.descendants().filter(|node| node.local() != "annotation" && node.local() != "documentation");
    let shown = |node: Element<'_>| {
        let attributes: Vec<_> = node.attributes().map(|attribute| format!("{}={}", attribute.local, attribute.value)).collect();
        format!("{} {}", node.local(), attributes.join(" "))
    };
    nodes.map(shown).collect::<Vec<_>>().join("; ")
}

/// A name as it is written, by its namespace.
fn resolved(node: Element<'_>, name: &str) -> String {
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    name_of(node.namespace_of(prefix).unwrap_or(""), local)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">"#;

    fn meaning(body: &str) -> Meaning {
        let mut sources = Sources::default();
        sources.add("a.xsd", format!("{HEAD}{body}</xs:schema>"));
        Meaning::of(&sources).with("ask", [("urn:t", "Ask")]).with("other", [("urn:t", "Other")])
    }

    const BEFORE: &str = r#"
        <xs:element name="Ask" type="t:AskType"/>
        <xs:element name="Other" type="xs:string"/>
        <xs:complexType name="AskType"><xs:sequence>
            <xs:element name="Id" type="t:Id"/>
            <xs:element name="Note" minOccurs="0" maxOccurs="3"><xs:simpleType><xs:restriction base="xs:string">
                <xs:maxLength value="40"/><xs:enumeration value="a"/><xs:enumeration value="b"/></xs:restriction></xs:simpleType></xs:element>
        </xs:sequence><xs:attribute name="kind" type="xs:string"/></xs:complexType>
        <xs:simpleType name="Id"><xs:restriction base="xs:string"><xs:pattern value="[0-9]{8}"/></xs:restriction></xs:simpleType>"#;

    fn beyond(replaced: &str, by: &str) -> Vec<String> {
        assert!(BEFORE.contains(replaced), "{replaced}");
        meaning(&BEFORE.replace(replaced, by)).beyond(&meaning(BEFORE), Some("ask"))
    }

    #[test]
    fn whatever_lets_nothing_more_pass_is_no_wider() {
        for (replaced, by) in [
            // The same.
            (
                "<xs:element name=\"Other\" type=\"xs:string\"/>",
                "<!-- x --><xs:element name=\"Other\" type=\"xs:string\"><xs:annotation><xs:documentation>Ord</xs:documentation></xs:annotation></xs:element>",
            ),
            ("type=\"t:Id\"/>", "xmlns:u=\"urn:t\" type=\"u:Id\" id=\"i\"></xs:element>"),
            // Less.
            ("<xs:attribute name=\"kind\" type=\"xs:string\"/>", ""),
            ("<xs:enumeration value=\"b\"/>", ""),
            ("<xs:maxLength value=\"40\"/>", "<xs:maxLength value=\"39\"/>"),
            ("maxOccurs=\"3\"", "maxOccurs=\"2\""),
            ("maxOccurs=\"3\"", ""),
            ("<xs:element name=\"Id\" type=\"t:Id\"/>", ""),
            ("<xs:pattern", "<xs:maxLength value=\"8\"/><xs:pattern"),
            // No other data come where one need not be there.
            ("<xs:element name=\"Id\" type=\"t:Id\"/>", "<xs:element name=\"Id\" type=\"t:Id\" minOccurs=\"0\"/>"),
            // Of another operation.
            (
                "<xs:element name=\"Other\" type=\"xs:string\"/>",
                "<xs:element name=\"Other\" type=\"xs:int\"/><xs:element name=\"New\" type=\"xs:int\"/>",
            ),
        ] {
            assert_eq!(beyond(replaced, by), Vec::<String>::new(), "{replaced} -> {by}");
        }
    }

    #[test]
    fn whatever_lets_more_pass_or_may_do_so_is_wider_and_is_named() {
        for (replaced, by, named) in [
            ("</xs:sequence>", "<xs:element name=\"Cpr\" type=\"xs:string\" minOccurs=\"0\"/></xs:sequence>", "element Cpr"),
            ("</xs:sequence>", "<xs:any minOccurs=\"0\"/></xs:sequence>", "/any"),
            ("</xs:sequence>", "<xs:element ref=\"t:Other\"/></xs:sequence>", "{urn:t}Other"),
            ("<xs:attribute name=\"kind\"", "<xs:attribute name=\"more\"/><xs:attribute name=\"kind\"", "attribute more"),
            (
                "<xs:enumeration value=\"b\"/>",
                "<xs:enumeration value=\"b\"/><xs:enumeration value=\"c\"/>",
                "enumeration a | b → a | b | c",
            ),
            ("<xs:enumeration value=\"a\"/><xs:enumeration value=\"b\"/>", "", "enumeration a | b → -"),
            ("value=\"40\"", "value=\"41\"", "maxLength 40 → 41"),
            ("<xs:maxLength value=\"40\"/>", "", "maxLength 40 → -"),
            ("maxOccurs=\"3\"", "maxOccurs=\"unbounded\"", "maxOccurs 3 → unbounded"),
            ("<xs:pattern value=\"[0-9]{8}\"/>", "", "pattern"),
            ("[0-9]{8}", "[0-9]{10}", "pattern"),
            ("type=\"t:Id\"/>", "type=\"xs:string\"/>", "element Id"),
            // A type that may stand in a message by xsi:type, and an element by its group.
            (
                "<xs:simpleType name=\"Id\">",
                "<xs:complexType name=\"More\"><xs:complexContent><xs:extension base=\"t:AskType\"/></xs:complexContent></xs:complexType><xs:simpleType name=\"Id\">",
                "complexType {urn:t}More",
            ),
            (
                "<xs:element name=\"Other\" type=\"xs:string\"/>",
                "<xs:element name=\"Instead\" substitutionGroup=\"t:Ask\"/><xs:element name=\"Other\" type=\"xs:string\"/>",
                "element {urn:t}Instead",
            ),
            (
                "<xs:element name=\"Id\" type=\"t:Id\"/>",
                "<xs:element name=\"Id\" type=\"t:Id\"/><xs:element name=\"Id\" type=\"t:Id\"/>",
                "#2",
            ),
        ] {
            let told = beyond(replaced, by);
            assert!(told.iter().any(|line| line.contains(named)), "{replaced} -> {by}: {told:?}");
        }
    }

    #[test]
    fn a_further_operation_is_wider_for_itself_alone() {
        let after = meaning(BEFORE).with("new", [("urn:t", "Other")]);
        assert_eq!(after.beyond(&meaning(BEFORE), None), ["+ operation new"]);
        assert_eq!(after.beyond(&meaning(BEFORE), Some("ask")), Vec::<String>::new());
        assert_eq!(meaning(BEFORE).beyond(&after, None), Vec::<String>::new());
        assert_eq!(meaning(BEFORE).beyond(&after, Some("none")), ["+ operation none"]);
    }

    #[test]
    fn what_is_kept_is_read_back_the_same() {
        let meaning = meaning(BEFORE);
        assert_eq!(serde_json::from_str::<Meaning>(&serde_json::to_string(&meaning).unwrap()).unwrap(), meaning);
    }
}
