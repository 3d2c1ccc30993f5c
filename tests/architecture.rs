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

/// From the bottom to the top. A module may import from its own row and those above it in this list. A part of a module that
/// has a place of its own stands by its path.
const LAYERS: &[&[&str]] = &[
    &["clock", "address", "refusal", "hex", "id", "pem", "work", "soap", "signature", "schema", "revocation", "outbound"],
    &["saml", "agreements", "audit", "sts"],
    &["config", "metrics"],
    &["trust", "peer"],
    &["services::terminaladgang::law"],
    &["gateway"],
    &["services"],
    &["edge"],
    &["node"],
    &["stub"],
    &["cli"],
];

/// What still imports what stands above it. Each is to go; none may come.
const UPWARDS: &[(&str, &str)] = &[];

/// Modules that still import each other, by name. Each is to go; none may come.
const CIRCLES: &[(&str, &str)] = &[];

/// Module, and what it may not name: these do no I/O and know no runtime.
const PURE: &[(&str, &[&str])] = &[
    ("services::terminaladgang::law", &["tokio", "hyper", "rustls", "sqlx", "std::fs", "std::net", "Clock"]),
    ("signature", &["tokio::", "hyper::", "rustls::", "sqlx"]),
    ("saml", &["tokio::", "hyper::", "rustls::", "sqlx"]),
    ("soap", &["hyper::", "rustls::", "sqlx"]),
];

/// The part of the tree with a place in the layers that a path leads into.
fn part(path: &str) -> &str {
    let named = LAYERS.iter().copied().flatten().filter(|part| path == **part || path.starts_with(&format!("{part}::")));
    named.max_by_key(|part| part.len()).copied().unwrap_or_else(|| path.split("::").next().unwrap_or(path))
}

/// A source file of the product.
struct Source {
    path: PathBuf,
    /// Its modules, outermost first: `["gateway", "seal"]`.
    place: Vec<String>,
    /// Its code without tests and comments.
    code: TokenStream,
}

impl Source {
    fn module(&self) -> String {
        match self.place.is_empty() {
            true => "lib".to_owned(),
            false => part(&self.place.join("::")).to_owned(),
        }
    }

    /// The parts that it names, but its own.
    fn imports(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        imports(self.code.clone(), &self.place, &mut found);
        let mut found: BTreeSet<String> = found.iter().map(|path| part(path).to_owned()).collect();
        found.remove(&self.module());
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

/// Gathers the paths behind each `crate ::`, and behind `super ::`, from the crate's own level.
fn imports(code: TokenStream, place: &[String], found: &mut BTreeSet<String>) {
    let trees: Vec<TokenTree> = code.into_iter().collect();
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        at += 1;
        match tree {
            TokenTree::Group(group) => imports(group.stream(), place, found),
            TokenTree::Ident(ident) if (ident == "crate" || ident == "super") && is_path(&trees, at) => {
                // How far down the path leads: `super` in `a::b` is `a`.
                let mut base = if ident == "crate" { &[][..] } else { above(place) };
                at += 2;
                while matches!(trees.get(at), Some(TokenTree::Ident(ident)) if ident == "super") && is_path(&trees, at + 1) {
                    base = above(base);
                    at += 3;
                }
                let (paths, next) = paths(&trees, at);
                at = next;
                let whole = paths.into_iter().map(|path| base.iter().cloned().chain(path).collect::<Vec<_>>().join("::"));
                found.extend(whole.filter(|path| !path.is_empty()));
            }
            _ => {}
        }
    }
}

/// The module that a module stands in.
fn above(place: &[String]) -> &[String] {
    place.split_last().map_or(&[], |(_, above)| above)
}

fn is_path(trees: &[TokenTree], at: usize) -> bool {
    (at..at + 2).all(|at| matches!(trees.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':'))
}

/// The paths that begin here, `a::{b, c::d}` being two, and where the tokens go on.
fn paths(trees: &[TokenTree], mut at: usize) -> (Vec<Vec<String>>, usize) {
    let mut path = Vec::new();
    loop {
        match trees.get(at) {
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == proc_macro2::Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let parts = inner.split(|tree| matches!(tree, TokenTree::Punct(p) if p.as_char() == ','));
                let parts = parts.filter(|part| !part.is_empty()).flat_map(|part| paths(part, 0).0);
                return (parts.map(|part| path.iter().cloned().chain(part).collect()).collect(), at + 1);
            }
            _ => return (vec![path], at),
        }
        match is_path(trees, at + 1) {
            true => at += 3,
            false => return (vec![path], at + 1),
        }
    }
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
        graph.entry(source.module()).or_default().extend(imported);
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
    assert_eq!(named(&["a"], "use crate::{b::c, d::{e, f}, g};"), ["b::c", "d::e", "d::f", "g"]);
    assert_eq!(named(&["a"], "fn f() { g!(x, crate::b::C); (crate::d::e)() }"), ["b::C", "d::e"]);
    assert_eq!(named(&["a"], "use super::b::c;"), ["b::c"]);
    assert_eq!(named(&["a", "x"], "use super::b::c; use super::super::d;"), ["a::b::c", "d"]);
    assert_eq!(named(&["a", "x"], "use super::super::{d, e::f}; use self::g;"), ["d", "e::f"]);
    assert_eq!(part("services::terminaladgang::law::dates"), "services::terminaladgang::law");
    assert_eq!((part("services::passthrough"), part("soap")), ("services", "soap"));
}

#[test]
fn a_module_imports_only_what_stands_below_it() {
    let layer = |module: &str| LAYERS.iter().position(|row| row.contains(&module));
    let mut wrong = Vec::new();
    for (module, imported) in graph() {
        let own = layer(&module).unwrap_or_else(|| panic!("{module} has no place in the layers"));
        for (name, path) in imported {
            let known = UPWARDS.contains(&(module.as_str(), name.as_str()));
            if layer(&name).is_some_and(|layer| layer > own) && !known {
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
            if source.module().starts_with(pure) {
                let text = source.code.to_string().replace(' ', "");
                let named = forbidden.iter().filter(|name| text.contains(**name));
                wrong.extend(named.map(|name| format!("{} names {name}", source.path.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Those of the tests are kept out of it by Cargo: quick-xml, which judges the scanner there, can read nothing here.
/// What every service goes through, and what belongs to single services: their names come from the configuration.
const SHARED: &[&str] = &["config", "trust", "metrics", "edge"];
const OF_A_SERVICE: &[&str] = &["terminaladgang", "ydelse", "index", "indeks", "udk", "policy"];

#[test]
fn what_every_service_shares_names_none_of_them() {
    let mut wrong = Vec::new();
    for source in sources().into_iter().filter(|source| SHARED.contains(&source.module().as_str())) {
        let text = source.code.to_string().to_lowercase();
        let named = OF_A_SERVICE.iter().filter(|word| text.contains(**word));
        wrong.extend(named.map(|word| format!("{} names {word}", source.path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_dependency_of_the_program_is_named_by_its_code() {
    let manifest: toml::Table =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap().parse().unwrap();
    let code: String = sources().iter().map(|source| source.code.to_string()).collect();
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let dependencies = manifest["dependencies"].as_table().unwrap().keys();
    // The crate's own name, where it is not the package's.
    let unused: Vec<_> =
        dependencies.filter(|name| !words.contains(&*name.replace("rustls-webpki", "webpki").replace('-', "_"))).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// Every file of the project, without what was built and what Git keeps.
fn tree(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && name != ".git" {
                tree(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// Whether bytes hold a private key: a PEM section with one in it, or PKCS#1, PKCS#8 or PKCS#12, which begin with a version
/// where a certificate begins with what was signed.
fn holds_a_key(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let section = |label: &str| {
        let begin = format!("-----BEGIN {label}-----");
        let bodies = text.split(&begin).skip(1).map(|rest| rest.trim_start());
        bodies.map(|body| body.chars().take_while(|c| c.is_ascii_alphanumeric() || "+/=\n\r".contains(*c)).count()).max()
    };
    let labels = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"];
    let version = |at: usize| matches!(bytes.get(at..at + 3), Some([0x02, 0x01, 0x00 | 0x01 | 0x03]));
    let der = matches!(bytes, [0x30, 0x82, _, _, ..] if version(4)) || matches!(bytes, [0x30, 0x81, _, ..] if version(3));
    der || text.contains("PRIVATE KEY-----") && labels.iter().filter_map(|label| section(label)).any(|length| length >= 40)
}

#[test]
fn a_private_key_is_known_when_it_is_seen() {
    let section = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    assert!(holds_a_key(section("PRIVATE KEY", &"A".repeat(64)).as_bytes()));
    assert!(holds_a_key(section("EC PRIVATE KEY", &"A".repeat(64)).as_bytes()));
    assert!(holds_a_key(&[0x30, 0x82, 4, 0xa3, 0x02, 0x01, 0x00]));
    assert!(!holds_a_key(section("CERTIFICATE", &"A".repeat(64)).as_bytes()));
    assert!(!holds_a_key(&[0x30, 0x82, 4, 0xa3, 0x30, 0x82, 3, 0x8b]));
}

#[test]
fn no_key_stands_in_the_tree() {
    let mut files = Vec::new();
    tree(Path::new(env!("CARGO_MANIFEST_DIR")), &mut files);
    assert!(files.len() > 300, "{} files", files.len());
    let keys: Vec<_> = files.iter().filter(|file| holds_a_key(&fs::read(file).unwrap())).collect();
    assert!(keys.is_empty(), "{keys:?}");
}

#[test]
fn the_folder_of_certificates_is_data_alone() {
    let mut files = Vec::new();
    tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("certs"), &mut files);
    let extensions: BTreeSet<_> = files.iter().filter_map(|file| file.extension()?.to_str()).collect();
    assert_eq!(extensions, ["cnf", "md", "toml"].into());
}
