//! The tree keeps its shape: a module imports only what stands below it, no two modules import each other, and the purest
//! modules stay pure.
//!
//! The sources are read as Rust tokens, so that `use crate::{a, b}`, a path in an expression and `super::super::a` count
//! alike; tests do not count, for they may look wherever they like.

#![allow(clippy::unwrap_used, clippy::string_slice)] // a test that cannot read the tree must fail

#[path = "support/house.rs"]
mod house;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use house::{LAYERS, drawn, graph, imports, part, reaches, sources};

/// Module, and what it may not name: these do no I/O and know no runtime.
const PURE: &[(&str, &[&str])] = &[
    ("services::terminaladgang::law", &["tokio", "hyper", "rustls", "sqlx", "std::fs", "std::net", "Clock"]),
    ("services::finance::rules", &["tokio", "hyper", "rustls", "sqlx", "std::fs", "std::net", "Clock"]),
    ("signature", &["tokio::", "hyper::", "rustls::", "sqlx"]),
    ("saml", &["tokio::", "hyper::", "rustls::", "sqlx"]),
    ("signon", &["tokio::", "hyper::", "rustls::", "sqlx", "std::fs", "std::net", "Clock"]),
    ("soap", &["hyper::", "rustls::", "sqlx"]),
];

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

/// A module with parts is a folder with `mod.rs`: whoever looks for it looks in one place.
#[test]
fn no_module_stands_beside_its_own_folder() {
    let mut files = Vec::new();
    tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 300, "{} files", files.len());
    let beside = files.iter().filter(|file| file.extension().is_some_and(|end| end == "rs") && file.with_extension("").is_dir());
    assert_eq!(beside.collect::<Vec<_>>(), Vec::<&PathBuf>::new());
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
    assert_eq!(circles, BTreeSet::new());
}

#[test]
fn policy_signature_and_saml_do_no_io_and_know_no_runtime() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (pure, forbidden) in PURE {
            if source.module().starts_with(pure) {
                let text = source.code.replace(' ', "");
                let named = forbidden.iter().filter(|name| text.contains(**name));
                wrong.extend(named.map(|name| format!("{} names {name}", source.path.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The folder of `src/services` that is no service's own.
const OF_ALL_SERVICES: &str = "contract";
/// A service, and the one that it is built on.
const BUILT_ON: &[(&str, &str)] = &[("finance", "passthrough")];

/// Every service of `src/services`.
fn services() -> BTreeSet<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/services")).unwrap().flatten();
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|folder| folder.file_name().into_string().unwrap()).filter(|name| name != OF_ALL_SERVICES).collect()
}

/// The services that a file names by a path, or by a file that it includes.
fn services_named(source: &house::Source, services: &BTreeSet<String>) -> BTreeSet<String> {
    let (paths, code) = (&source.paths, &source.code);
    let named = |service: &String| {
        let path = format!("services::{service}");
        let below = format!("{path}::");
        paths.iter().any(|named| *named == path || named.starts_with(&below)) || code.contains(&format!("../{service}/"))
    };
    services.iter().filter(|service| named(service)).cloned().collect()
}

#[test]
fn no_service_imports_another_but_the_one_that_it_is_built_on() {
    let services = services();
    assert!(services.len() >= 4, "{services:?}");
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(own) = source.of_services().filter(|room| services.contains(*room)) else { continue };
        let others = services_named(source, &services);
        let others = others.iter().filter(|other| *other != own && !BUILT_ON.contains(&(own, other.as_str())));
        wrong.extend(others.map(|other| format!("{} names services::{other}", source.path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What every service goes through, and what belongs to single services: their names come from the configuration.
const SHARED: &[&str] = &["config", "trust", "metrics", "edge", "agreements", "gateway", "audit"];
/// Where the audit record says what each service adds to it.
const ABOUT: &[&str] = &["src/audit/about/", "src/audit/wire.rs"];
/// A name of the platform's, on the wire of every service.
const PLATFORM: &str = "municipalitycvr";
const OF_A_SERVICE: &[&str] = &[
    // TerminalAdgang.
    "terminaladgang",
    "ydelse",
    "index",
    "indeks",
    "udk",
    "udbetaling",
    "policy",
    "benefit",
    "kle",
    "sensitivity",
    "municipal",
    "kommune",
    "window_asked",
    "window_applied",
    "\"ta:",
    "<ta:",
    // SF1590_A Finans.
    "finance",
    "finans",
    "voucher",
    "bilag",
    "ledger",
    "kvittering",
    "sortiment",
    // Person import. A person as such is the platform's: every record seals those that a call names.
    "campus",
    "personimport",
    "person_import",
    "institution",
    "running number",
];
#[test]
fn what_every_service_shares_names_none_of_them() {
    let about = |path: &Path| ABOUT.iter().any(|about| path.to_string_lossy().contains(about));
    let shared = sources().iter().filter(|source| SHARED.contains(&source.module().as_str()) && !about(&source.path));
    let mut named = Vec::new();
    for source in shared {
        let text = source.code.to_lowercase().replace(PLATFORM, "");
        let words = OF_A_SERVICE.iter().filter(|word| text.contains(**word));
        named.extend(words.map(|word| format!("{} says {word}", in_tree(&source.path))));
    }
    assert!(named.is_empty(), "let the service say it:\n{}", named.join("\n"));
}

/// A path of the tree, from its root.
fn in_tree(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_string_lossy().into_owned()
}

/// The stubs have names of their own, or they would judge nothing.
#[test]
fn a_name_of_the_wire_is_written_once() {
    let (names, others): (Vec<_>, Vec<_>) = sources()
        .iter()
        .filter(|source| source.module() != "stub")
        .partition(|source| source.path.ends_with("src/soap/names.rs") || source.path.ends_with("src/id/cvr.rs"));
    let texts = |source: &&house::Source| {
        let names = source.texts.iter().filter(|text| text.starts_with("http") || text.starts_with("urn:"));
        names.cloned().collect::<BTreeSet<_>>()
    };
    let written: BTreeSet<String> = names.iter().flat_map(texts).collect();
    assert!(written.len() > 10, "{written:?}");
    let again = |source: &&house::Source| {
        let found = texts(source).intersection(&written).cloned().collect::<Vec<_>>();
        (!found.is_empty()).then(|| format!("{}: {found:?}", source.path.display()))
    };
    let again: Vec<_> = others.iter().filter_map(again).collect();
    assert!(again.is_empty(), "{}", again.join("\n"));
}

/// quick-xml judges the scanner in the tests. In the program it reads value lists, which the scanner has let through, and nothing else.
#[test]
fn the_judge_of_the_scanner_reads_no_message() {
    let names = |source: &&house::Source| source.code.contains("quick_xml");
    let named: Vec<_> = sources().iter().filter(names).map(|source| &source.path).collect();
    assert!(matches!(named.as_slice(), [only] if only.ends_with("services/finance/rules/sortiment/xml.rs")), "{named:?}");
}

/// Where the services are told apart: there alone does one more of them change anything.
const TOLD_APART: &[&str] = &["src/services/", "src/audit/about/"];

/// The variants of an enum, as code names them: `Service::Finance`.
fn variants(file: &str, name: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let items = syn::parse_file(&text).unwrap().items;
    let of_name = |item: syn::Item| match item {
        syn::Item::Enum(item) if item.ident == name => Some(item.variants),
        _ => None,
    };
    let variants = items.into_iter().find_map(of_name).unwrap();
    variants.iter().map(|variant| format!("{name}::{}", variant.ident)).collect()
}

#[test]
fn one_more_service_changes_no_match_outside_the_services_and_their_part_of_the_record() {
    let mut variants = [variants("src/services/mod.rs", "Service"), variants("src/audit/about/mod.rs", "About")].concat();
    // What no service has added yet.
    variants.retain(|variant| variant != "About::Nothing");
    assert!(variants.len() >= 9, "{variants:?}");
    let told_apart = |path: &Path| TOLD_APART.iter().any(|place| in_tree(path).starts_with(place));
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !told_apart(&source.path)) {
        let text = source.code.replace(' ', "");
        let named = variants.iter().filter(|variant| text.contains(*variant));
        wrong.extend(named.map(|variant| format!("{} names {variant}: let the service say it", source.path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rooms with parts for single services: pages, commands, the parties that the program plays for others' tests.
const WITH_PARTS_FOR_ONE: &[&str] = &["src/api/", "src/console/", "src/cli/", "src/stub/"];

#[test]
fn nothing_else_names_a_service() {
    let services = services();
    let rooms = [TOLD_APART, WITH_PARTS_FOR_ONE].concat();
    let mut named = Vec::new();
    for source in sources().iter().filter(|source| !rooms.iter().any(|room| in_tree(&source.path).starts_with(room))) {
        let services = services_named(source, &services);
        named.extend(services.iter().map(|service| format!("{} names services::{service}", in_tree(&source.path))));
    }
    assert!(named.is_empty(), "let src/services say it for all of them:\n{}", named.join("\n"));
}

#[test]
fn every_dependency_of_the_program_is_named_by_its_code() {
    let manifest: toml::Table =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap().parse().unwrap();
    let code: String = sources().iter().map(|source| source.code.as_str()).collect::<Vec<_>>().join(" ");
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
            if !["target", ".git", "node_modules"].contains(&&*name.to_string_lossy()) {
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

/// libtest swallows what a test prints that passes: `tests/support/not_run.rs` writes past it.
#[test]
fn no_test_prints_that_it_did_not_run() {
    let mut files = Vec::new();
    tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut files);
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "rs") && !file.ends_with("architecture.rs"))
    {
        let text = fs::read_to_string(file).unwrap();
        for line in text.lines().filter(|line| line.contains("print!(") || line.contains("println!(")) {
            let said = line.to_lowercase();
            let excuse = ["not run", "not installed", "is not here", "skipped"].iter().find(|words| said.contains(*words));
            assert_eq!(excuse, None, "{}: use did_not_run: {line}", file.display());
        }
    }
}

#[test]
fn the_folder_of_certificates_is_data_alone() {
    let mut files = Vec::new();
    tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("certs"), &mut files);
    let extensions: BTreeSet<_> = files.iter().filter_map(|file| file.extension()?.to_str()).collect();
    assert_eq!(extensions, ["cnf", "md", "toml"].into());
}

#[test]
fn the_picture_of_the_house_is_current() {
    let shown = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/house.md")).unwrap_or_default();
    assert!(shown == drawn(), "docs/house.md is of another tree: cargo run --example house draws it anew");
}
