//! The tree keeps its shape: a module imports only what stands below it, and the purest modules stay pure.

#![allow(clippy::unwrap_used)] // a test that cannot read the tree must fail

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom to the top. A module may import from its own row and those above it in this list.
const LAYERS: &[&[&str]] = &[
    &["clock", "refusal", "hex", "work", "soap", "signature", "revocation", "outbound"],
    &["saml", "policy", "agreements", "audit", "sts"],
    &["config", "metrics"],
    &["gateway"],
    &["services"],
    &["edge", "stub"],
    &["cli"],
];

/// Module, and what it may not name: these do no I/O and know no runtime.
const PURE: &[(&str, &[&str])] = &[
    ("policy", &["tokio", "hyper", "rustls", "sqlx", "std::fs", "std::net", "Clock"]),
    ("signature", &["tokio::", "hyper::", "rustls::", "sqlx"]),
    ("saml", &["tokio::", "hyper::", "rustls::", "sqlx"]),
    ("soap", &["hyper::", "rustls::", "sqlx"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file: without comments, and up to its tests (which may look wherever they like).
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap();
    before_tests.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

fn all() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    // Test modules in files of their own are not part of the product.
    found.retain(|path| !path.file_name().unwrap().to_string_lossy().contains("tests"));
    assert!(found.len() > 40, "the tree was not found");
    found
}

#[test]
fn a_module_imports_only_what_stands_below_it() {
    let layer = |module: &str| LAYERS.iter().position(|row| row.contains(&module));
    let mut wrong = Vec::new();
    for path in all() {
        let module = module_of(&path);
        let Some(own) = layer(&module) else {
            assert!(["lib", "main"].contains(&module.as_str()), "{module} has no place in the layers");
            continue;
        };
        let text = code(&path);
        let imported: BTreeSet<&str> = text
            .split("crate::")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
            .collect();
        for name in imported {
            if layer(name).is_some_and(|imported| imported > own) {
                wrong.push(format!("{} imports crate::{name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn policy_signature_and_saml_do_no_io_and_know_no_runtime() {
    let mut wrong = Vec::new();
    for path in all() {
        let module = module_of(&path);
        for (pure, forbidden) in PURE {
            if module == *pure {
                let text = code(&path);
                wrong.extend(
                    forbidden.iter().filter(|name| text.contains(**name)).map(|name| format!("{} names {name}", path.display())),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
