//! A published version as subscribers get it, in either structure of the field (`SortimentOverfør_1`, `SortimentOverfør_2`).
//!
//! Their schemas are not public; these are ours (`docs/clients/SortimentOverfoer.xsd`). Both hold the whole version, so that a
//! subscriber needs no earlier file; the second says too what it changes against the version before it, code by code.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::kept::Head;
use super::publish::Proposal;
use super::subscription::{Delivery, Structure};
use crate::agreements::Store;
use crate::services::finance::rules::sortiment::{List, Part, xml};
use crate::soap::fault::escape;

/// The namespace of both structures.
pub const NAMESPACE: &str = "urn:hjemmel:oekonomi:sortimentoverfoer:1";

/// Reads a version and writes its file.
///
/// # Errors
/// Why not, in words.
pub async fn written(store: &Store, head: &Head, delivery: &Delivery) -> Result<String, String> {
    let proposal = Proposal::of(store, head.id).await.map_err(|error| error.to_string())?;
    let (head, delivery) = (head.clone(), delivery.clone());
    // A large list takes a while to write.
    let work = move || file(&proposal.list, proposal.before.as_deref(), &head, &delivery);
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

fn file(list: &List, before: Option<&List>, head: &Head, delivery: &Delivery) -> Result<String, String> {
    let root = match delivery.structure {
        Structure::One => "SortimentOverfoer_1",
        Structure::Two => "SortimentOverfoer_2",
    };
    let whole = xml::write(list)?;
    let whole = whole.split_once("?>").map_or(whole.as_str(), |(_, rest)| rest).trim();
    let mut text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<so:{root} xmlns:so=\"{NAMESPACE}\">\n");
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "  <so:{name}>{}</so:{name}>", escape(&value.to_string()));
    };
    line("AbonnementUUID", &delivery.subscription);
    line("VersionUUID", &head.id);
    line("ServiceUUID", &head.service);
    line("ModtagerMyndighed", &delivery.authority.urn());
    if let Some(at) = head.published_at {
        line("Offentliggjort", &at);
    }
    text += whole;
    text.push('\n');
    if delivery.structure == Structure::Two {
        text += &changes(list, before);
    }
    let _ = writeln!(text, "</so:{root}>");
    Ok(text)
}

/// What a version changes. Of the first version of a list everything is new.
fn changes(list: &List, before: Option<&List>) -> String {
    let mut text = "  <so:Aendringer>\n".to_owned();
    if let Some(before) = before {
        let (version, from) = (escape(&before.version), before.from);
        let _ = writeln!(
            text,
            "    <so:Forgaenger><so:Version>{version}</so:Version><so:GyldigFra>{from}</so:GyldigFra></so:Forgaenger>"
        );
    }
    let none = Part::default();
    let empty = std::collections::BTreeMap::new();
    let old = before.map_or(&empty, |before| &before.parts);
    for name in old.keys().chain(list.parts.keys()).collect::<BTreeSet<_>>() {
        let (was, is) = (old.get(name).unwrap_or(&none), list.parts.get(name).unwrap_or(&none));
        let mut lines = String::new();
        for code in was.codes.keys().chain(is.codes.keys()).collect::<BTreeSet<_>>() {
            let kind = match (was.codes.get(code), is.codes.get(code)) {
                (None, Some(_)) => "Tilfoejet",
                (Some(_), None) => "Udgaaet",
                (Some(was), Some(is)) if was != is => "Aendret",
                _ => continue,
            };
            let _ = writeln!(lines, "      <so:{kind}>{}</so:{kind}>", escape(code));
        }
        let rules = (was.party, was.supplement) != (is.party, is.supplement);
        if !lines.is_empty() || rules {
            let rules = if rules { " reglerAendret=\"true\"" } else { "" };
            let _ = writeln!(text, "    <so:Delsortiment navn=\"{}\"{rules}>\n{lines}    </so:Delsortiment>", escape(name));
        }
    }
    text + "  </so:Aendringer>\n"
}
