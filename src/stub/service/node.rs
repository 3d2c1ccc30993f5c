//! Elements as they are made, and how they are written.

use std::collections::HashMap;

use super::value::Value;
use crate::schema::model::Name;
use crate::signature::write;

/// The namespace of `xsi:type` and `xsi:nil`.
pub(super) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// An element under way.
pub(super) struct Node {
    pub(super) name: Name,
    pub(super) attributes: Vec<(Name, Value)>,
    pub(super) content: Vec<Part>,
}

/// What an element holds.
pub(super) enum Part {
    Value(Value),
    Node(Node),
}

/// The message, every namespace declared on its root.
pub(super) fn serialise(root: &Node) -> Vec<u8> {
    let mut prefixes = HashMap::new();
    gather(root, &mut prefixes);
    let mut out = Vec::new();
    element(root, &prefixes, true, &mut out);
    out
}

fn gather(node: &Node, prefixes: &mut HashMap<String, String>) {
    declare(&node.name, prefixes);
    for (name, value) in &node.attributes {
        declare(name, prefixes);
        if let Value::Name(name) = value {
            declare(name, prefixes);
        }
    }
    for part in &node.content {
        match part {
            Part::Value(Value::Name(name)) => declare(name, prefixes),
            Part::Value(Value::Text(_)) => {}
            Part::Node(child) => gather(child, prefixes),
        }
    }
}

fn declare((namespace, _): &Name, prefixes: &mut HashMap<String, String>) {
    if !namespace.is_empty() && !prefixes.contains_key(namespace) {
        let prefix = if namespace == XSI { "xsi".to_owned() } else { format!("n{}", prefixes.len() + 1) };
        prefixes.insert(namespace.clone(), prefix);
    }
}

fn qualified(name: &Name, prefixes: &HashMap<String, String>) -> String {
    match prefixes.get(&name.0) {
        Some(prefix) => format!("{prefix}:{}", name.1),
        None => name.1.clone(),
    }
}

fn text_of(value: &Value, prefixes: &HashMap<String, String>) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Name(name) => qualified(name, prefixes),
    }
}

fn element(node: &Node, prefixes: &HashMap<String, String>, root: bool, out: &mut Vec<u8>) {
    let name = qualified(&node.name, prefixes);
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    if root {
        let mut declared: Vec<_> = prefixes.iter().collect();
        declared.sort_unstable();
        for (namespace, prefix) in declared {
            write::attribute(out, &format!("xmlns:{prefix}"), namespace);
        }
    }
    for (attribute, value) in &node.attributes {
        write::attribute(out, &qualified(attribute, prefixes), &text_of(value, prefixes));
    }
    out.push(b'>');
    for part in &node.content {
        match part {
            Part::Value(value) => write::text(out, &text_of(value, prefixes)),
            Part::Node(child) => element(child, prefixes, false, out),
        }
    }
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}
