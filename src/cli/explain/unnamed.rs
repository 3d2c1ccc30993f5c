//! The fields of an answer that no rule names. The filter counts them and holds none of them, not even their names; an
//! explanation, which has the whole answer before it, reads the names here.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::services::terminaladgang::law::release::ReleaseRules;
use crate::services::terminaladgang::law::release::catalogue::{Field, R};
use crate::services::terminaladgang::law::schema::{BI, GD, OEI, SD, YI, shown};
use crate::soap::document::{Document, Element};
use crate::soap::strict::Limits;

/// For each effectuation of the answer, by its number among all objects from 1: the paths that no rule names.
pub(super) fn unnamed(answer: Bytes, limits: &Limits, rules: &ReleaseRules) -> Vec<(u64, String)> {
    let Ok(document) = Document::parse(answer, limits) else { return Vec::new() };
    let root = document.root();
    let Some(output) = root.descendants().find(|element| element.is(YI, "FremsoegYdelseIndeksOutput")) else { return Vec::new() };
    let named: BTreeSet<String> = rules.fields().map(|(field, _)| plain(field)).collect();
    let objects = output.elements().filter(|element| element.namespace() == YI && element.local().ends_with("Oejebliksbillede"));
    let mut found = Vec::new();
    for (number, object) in (1..).zip(objects).filter(|(_, object)| name(*object) == R) {
        let mut paths = Vec::new();
        leaves(object, R, &named, &mut paths);
        found.extend(paths.into_iter().map(|path| (number, path)));
    }
    found
}

/// A field's path without its conditions: `…/oei:Aktoer[Ejer]/…` is `…/oei:Aktoer/…`.
fn plain(field: Field) -> String {
    field.wire_path().replace("[Ejer]", "")
}

fn leaves(element: Element<'_>, path: &str, named: &BTreeSet<String>, found: &mut Vec<String>) {
    for child in element.elements() {
        let path = format!("{path}/{}", name(child));
        // A reference is named as a whole, whichever identifier it holds.
        if named.contains(&path) {
            continue;
        }
        if child.elements().next().is_none() {
            if !child.is_empty() {
                found.push(path);
            }
        } else {
            leaves(child, &path, named, found);
        }
    }
}

/// The name with the prefix that the policy file uses. An untrusted name may be a person's number, and is not shown then.
fn name(element: Element<'_>) -> String {
    let prefix = match element.namespace() {
        YI => "yi:",
        OEI => "oei:",
        BI => "bi:",
        GD => "gd:",
        SD => "sd:",
        _ => "?:",
    };
    format!("{prefix}{}", shown(element.local()))
}
