//! The modules of the product and what each imports, read from the code; and the picture of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Item;

/// From the bottom to the top. A module may import from its own row and those above it in this list. A part of a module that
/// has a place of its own stands by its path.
pub const LAYERS: &[&[&str]] = &[
    &[
        "clock",
        "address",
        "refusal",
        "hex",
        "id",
        "pem",
        "telemetry",
        "text",
        "work",
        "soap",
        "signature",
        "schema",
        "revocation",
        "outbound",
        "store",
    ],
    &["saml", "agreements", "audit", "objects", "replay", "sts", "users", "notices", "decisions", "signon"],
    &["config", "metrics"],
    &["trust", "peer", "archive"],
    &["services::terminaladgang::law", "services::finance::rules"],
    &["gateway", "files", "persons"],
    &["services"],
    &["connection"],
    &["edge", "api", "console"],
    &["node"],
    &["stub"],
    &["cli"],
];

/// The part of the tree with a place in the layers that a path leads into.
pub fn part(path: &str) -> &str {
    let named = LAYERS.iter().copied().flatten().filter(|part| path == **part || path.starts_with(&format!("{part}::")));
    named.max_by_key(|part| part.len()).copied().unwrap_or_else(|| path.split("::").next().unwrap_or(path))
}

/// A source file of the product.
pub struct Source {
    pub path: PathBuf,
    /// Its modules, outermost first: `["gateway", "seal"]`.
    place: Vec<String>,
    /// Its code without tests and comments, a space between all tokens.
    pub code: String,
    /// The paths that it names, from the crate's own level.
    pub paths: BTreeSet<String>,
    /// The texts that stand in it as they are.
    pub texts: BTreeSet<String>,
}

impl Source {
    pub fn module(&self) -> String {
        match self.place.is_empty() {
            true => "lib".to_owned(),
            false => part(&self.place.join("::")).to_owned(),
        }
    }

    /// The room of `services` that it stands in: a service, or what services share.
    pub fn of_services(&self) -> Option<&str> {
        match self.place.as_slice() {
            [services, room, ..] if services == "services" => Some(room),
            _ => None,
        }
    }

    /// The parts that it names, but its own.
    pub fn imports(&self) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = self.paths.iter().map(|path| part(path).to_owned()).collect();
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
pub fn imports(code: TokenStream, place: &[String], found: &mut BTreeSet<String>) {
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

/// Gathers the texts that stand in the code as they are.
fn texts(code: TokenStream, found: &mut BTreeSet<String>) {
    for tree in code {
        match tree {
            TokenTree::Group(group) => texts(group.stream(), found),
            TokenTree::Literal(literal) => {
                if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                    found.insert(text.value());
                }
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
            let code: TokenStream = file.items.iter().filter(|item| !is_test(item)).map(ToTokens::to_token_stream).collect();
            let (mut named, mut written) = (BTreeSet::new(), BTreeSet::new());
            imports(code.clone(), &inner, &mut named);
            texts(code.clone(), &mut written);
            found.push(Source { path, place: inner, code: code.to_string(), paths: named, texts: written });
        }
    }
}

/// Every source file of the product, read once: to read them all takes seconds.
pub fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let mut found = Vec::new();
        gather(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &[], &mut found);
        assert!(found.len() > 40, "the tree was not found");
        found
    })
}

/// What each top-level module imports, with a file that does.
pub fn graph() -> BTreeMap<String, BTreeMap<String, PathBuf>> {
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
pub fn reaches(graph: &BTreeMap<String, BTreeMap<String, PathBuf>>, from: &str, to: &str) -> bool {
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

/// The first sentence of what stands at the head of a module's file.
fn purpose(module: &str) -> String {
    let place = module.replace("::", "/");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = [root.join(format!("{place}/mod.rs")), root.join(format!("{place}.rs"))];
    let text = file.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap();
    let head = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).take_while(|line| !line.is_empty());
    let head = head.collect::<Vec<_>>().join(" ").replace('|', "\\|");
    // Links of rustdoc lead nowhere here.
    let head: String = head.chars().filter(|c| !"[]".contains(*c)).collect();
    match head.find(". ").or_else(|| head.find(": ")) {
        Some(end) => head[..end].to_owned(),
        None => head.trim_end_matches(['.', ':']).to_owned(),
    }
}

/// `docs/house.md`: the modules in their rows, and the imports that no other way of imports goes round.
pub fn drawn() -> String {
    let graph = graph();
    let mut out = "# The house\n\nDrawn from the code by `cargo run --example house`; a test holds it current. A row imports only from rows below \
        it. An arrow is an\nimport; one that leads the long way round by others is left out.\n\n```mermaid\nflowchart TB\n"
        .to_owned();
    let id = |module: &str| module.replace("::", "_");
    for (number, row) in LAYERS.iter().enumerate().rev() {
        writeln!(out, "  subgraph row{number}[\" \"]").unwrap();
        row.iter().for_each(|module| writeln!(out, "    {}[\"{module}\"]", id(module)).unwrap());
        writeln!(out, "  end").unwrap();
    }
    for (module, imported) in &graph {
        for name in imported.keys() {
            let longer = imported.keys().any(|other| other != name && reaches(&graph, other, name));
            if !longer {
                writeln!(out, "  {} --> {}", id(module), id(name)).unwrap();
            }
        }
    }
    out.push_str("```\n\n| Module | |\n|---|---|\n");
    for module in LAYERS.iter().rev().copied().flatten() {
        writeln!(out, "| `{module}` | {} |", purpose(module)).unwrap();
    }
    out
}
