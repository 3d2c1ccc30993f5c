//! The tree keeps its shape: a module imports only what stands below it, no two modules import each other, and the purest
//! modules stay pure.
//!
//! The sources are read as Rust tokens, so that `use crate::{a, b}`, a path in an expression and `super::super::a` count
//! alike; tests do not count, for they may look wherever they like.

#![allow(clippy::unwrap_used)] // a test that cannot read the tree must fail

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Item;

/// From the bottom to the top. A module may import from its own row and those above it in this list.
const LAYERS: &[&[&str]] = &[
    &["clock", "address", "refusal", "hex", "pem", "work", "soap", "signature", "schema", "revocation", "outbound"],
    &["saml", "policy", "agreements", "audit", "sts"],
    &["config", "metrics"],
    &["gateway"],
    &["services"],
    &["edge", "stub"],
    &["cli"],
];

/// Modules that still import each other, by name. Each is to go; none may come.
const CIRCLES: &[(&str, &str)] = &[];

/// Module, and what it may not name: these do no I/O and know no runtime.
const PURE: &[(&str, &[&str])] = &[
    ("policy", &["tokio", "hyper", "rustls", "sqlx", "std::fs", "std::net", "Clock"]),
    ("signature", &["tokio::", "hyper::", "rustls::", "sqlx"]),
    ("saml", &["tokio::", "hyper::", "rustls::", "sqlx"]),
    ("soap", &["hyper::", "rustls::", "sqlx"]),
];

/// A source file of the product.
struct Source {
    path: PathBuf,
    /// Its modules, outermost first: `["gateway", "seal"]`.
    place: Vec<String>,
    /// Its code without tests and comments.
    code: TokenStream,
}

impl Source {
    fn module(&self) -> &str {
        self.place.first().map_or("lib", |module| module)
    }

    /// The top-level modules that it names.
    fn imports(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        imports(self.code.clone(), &self.place, &mut found);
        found.remove(self.module());
        found
    }
}

/// Whether an item is there for tests alone.
fn is_test(item: &Item) -> bool {
    let attributes = match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => return false,
    };
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && attribute.to_token_stream().to_string().contains("test"))
}

/// Gathers the first name behind each `crate ::`, and behind `super ::` where that leads to the crate's own level.
fn imports(code: TokenStream, place: &[String], found: &mut BTreeSet<String>) {
    let trees: Vec<TokenTree> = code.into_iter().collect();
    let is_path = |at: usize| (at..at + 2).all(|at| matches!(trees.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':'));
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        at += 1;
        match tree {
            TokenTree::Group(group) => imports(group.stream(), place, found),
            TokenTree::Ident(ident) if (ident == "crate" || ident == "super") && is_path(at) => {
                // How far down the path leads: `super` in `a::b` is `a`.
                let mut depth = if ident == "crate" { 0 } else { place.len().saturating_sub(1) };
                at += 2;
                while matches!(trees.get(at), Some(TokenTree::Ident(ident)) if ident == "super") && is_path(at + 1) {
                    depth = depth.saturating_sub(1);
                    at += 3;
                }
                match trees.get(at) {
                    Some(TokenTree::Ident(name)) if depth == 0 => {
                        found.insert(name.to_string());
                    }
                    Some(TokenTree::Group(names)) if depth == 0 => found.extend(first_names(names.stream())),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// `{a::b, c}` names `a` and `c`.
fn first_names(names: TokenStream) -> Vec<String> {
    let trees: Vec<TokenTree> = names.into_iter().collect();
    let parts = trees.split(|tree| matches!(tree, TokenTree::Punct(p) if p.as_char() == ','));
    parts.filter_map(|part| part.first()).map(ToString::to_string).collect()
}

fn gather(dir: &Path, place: &[String], found: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut inner = place.to_vec();
        // Test modules in files of their own are not part of the product.
        if stem.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            inner.push(stem);
            gather(&path, &inner, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            if !["mod", "lib", "main"].contains(&stem.as_str()) {
                inner.push(stem);
            }
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            let code = file.items.iter().filter(|item| !is_test(item)).map(ToTokens::to_token_stream).collect();
            found.push(Source { path, place: inner, code });
        }
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    gather(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &[], &mut found);
    assert!(found.len() > 40, "the tree was not found");
    found
}

/// What each top-level module imports, with a file that does.
fn graph() -> BTreeMap<String, BTreeMap<String, PathBuf>> {
    let mut graph: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    for source in sources() {
        let imported = source.imports().into_iter().map(|name| (name, source.path.clone()));
        graph.entry(source.module().to_owned()).or_default().extend(imported);
    }
    graph.remove("lib");
    let modules: BTreeSet<String> = graph.keys().cloned().collect();
    graph.values_mut().for_each(|imported| imported.retain(|name, _| modules.contains(name)));
    graph
}

/// Whether a way of imports leads from one module to another.
fn reaches(graph: &BTreeMap<String, BTreeMap<String, PathBuf>>, from: &str, to: &str) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        for name in graph.get(module).into_iter().flat_map(BTreeMap::keys) {
            if name == to {
                return true;
            }
            if seen.insert(name) {
                next.push(name);
            }
        }
    }
    false
}

#[test]
fn braces_expressions_and_parents_are_imports() {
    let named = |place: &[&str], code: &str| {
        let place: Vec<String> = place.iter().map(|module| (*module).to_owned()).collect();
        let mut found = BTreeSet::new();
        imports(code.parse().unwrap(), &place, &mut found);
        found.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(named(&["a"], "use crate::{b::c, d::{e, f}, g};"), ["b", "d", "g"]);
    assert_eq!(named(&["a"], "fn f() { g!(x, crate::b::C); (crate::d::e)() }"), ["b", "d"]);
    assert_eq!(named(&["a"], "use super::b::c;"), ["b"]);
    assert_eq!(named(&["a", "x"], "use super::b::c; use super::super::d;"), ["d"]);
    assert_eq!(named(&["a", "x"], "use super::super::{d, e::f}; use self::g;"), ["d", "e"]);
}

#[test]
fn a_module_imports_only_what_stands_below_it() {
    let layer = |module: &str| LAYERS.iter().position(|row| row.contains(&module));
    let mut wrong = Vec::new();
    for (module, imported) in graph() {
        let own = layer(&module).unwrap_or_else(|| panic!("{module} has no place in the layers"));
        for (name, path) in imported {
            if layer(&name).is_some_and(|layer| layer > own) {
                wrong.push(format!("{} imports crate::{name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_two_modules_import_each_other_by_whatever_way() {
    let graph = graph();
    let modules: Vec<&String> = graph.keys().collect();
    let mut circles = BTreeSet::new();
    for (at, one) in modules.iter().enumerate() {
        for other in modules.iter().skip(at + 1) {
            if reaches(&graph, one, other) && reaches(&graph, other, one) {
                circles.insert((one.as_str(), other.as_str()));
            }
        }
    }
    let known: BTreeSet<(&str, &str)> = CIRCLES.iter().copied().collect();
    let come: Vec<_> = circles.difference(&known).collect();
    assert!(come.is_empty(), "new circles: {come:?}");
    let gone: Vec<_> = known.difference(&circles).collect();
    assert!(gone.is_empty(), "no circles any more, to be struck from the list: {gone:?}");
}

#[test]
fn policy_signature_and_saml_do_no_io_and_know_no_runtime() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (pure, forbidden) in PURE {
            if source.module() == *pure {
                let text = source.code.to_string().replace(' ', "");
                let named = forbidden.iter().filter(|name| text.contains(**name));
                wrong.extend(named.map(|name| format!("{} names {name}", source.path.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
