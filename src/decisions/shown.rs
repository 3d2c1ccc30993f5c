//! The text of an agreement as whoever decides on it is shown it, and its digest.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

use crate::agreements::{Agreement, route::Route};

/// SHA-256 in hexadecimal.
pub fn sha256(text: &str) -> String {
    crate::hex::encode(digest(&SHA256, text.as_bytes()).as_ref())
}

/// An agreement's text: everything that it says and where it stands, a line each, in one order. Two that differ in anything
/// have different texts.
pub fn text(agreement: &Agreement) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{name}: {value}");
    };
    line("serviceaftale", &agreement.id);
    line("tilstand", &agreement.state);
    line("side", &agreement.side.name());
    line("system", &agreement.system);
    for certificate in &agreement.certificates {
        line("certifikat (SHA-256)", certificate);
    }
    line("service", &agreement.service);
    line("myndighed (CVR)", &agreement.authority);
    line("miljø", &agreement.environment);
    line("gælder fra", &agreement.valid_from);
    match &agreement.valid_to {
        Some(end) => line("gælder til (ikke med)", end),
        None => line("gælder til", &"uden slutdato"),
    }
    line("hjemmel", &agreement.legal_basis);
    line("formål", &agreement.purpose);
    for name in agreement.scope.names() {
        if let Some(value) = agreement.scope.get(name) {
            line(&format!("afgrænset, {name}"), value);
        }
    }
    if agreement.scope.is_empty() {
        line("afgrænset", &"nej");
    }
    text
}

/// What ETag an agreement has: another as soon as anything of it is another, who decided last included.
pub fn etag(agreement: &Agreement) -> String {
    let decided = format!(
        "{}{:?}{:?}{:?}",
        text(agreement),
        agreement.decided_by,
        agreement.decided_at.map(|at| at.to_string()),
        agreement.reason
    );
    format!("\"{}\"", sha256(&decided))
}

/// What ETag a route has: of a route only the end ever changes.
pub fn etag_of_route(route: &Route) -> String {
    format!("\"{}\"", sha256(&format!("{} {}", route.id, route.period)))
}
