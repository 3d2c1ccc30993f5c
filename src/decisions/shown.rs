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
    if let Some(asked) = &agreement.asked {
        let kind = if asked.authority { "myndighed" } else { "leverandør" };
        let name = asked.party_name.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
        match asked.party {
            Some(cvr) => line("anmoder", &format!("{kind}, CVR {cvr}{name}, ved {}", asked.by)),
            None => line("anmoder", &format!("gatewayens drift, ved {}", asked.by)),
        }
        let unregistered = "ikke registreret: systemet og dets certifikater er endnu ingens";
        line("systemets navn", &asked.system.as_deref().unwrap_or(unregistered));
        if let Some(service) = &asked.service {
            line("servicens navn", service);
        }
    }
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
    if let Some(ends) = &agreement.ends_at {
        line("ophører", ends);
    }
    if agreement.terms.is_none() && agreement.asked.is_some() {
        line("databehandleraftale, datakategorier og opbevaring", &"ikke oplyst: aftalen er indlæst af driften");
    }
    if let Some(terms) = &agreement.terms {
        line("anmodning", &terms.request);
        line("type", &terms.kind.danish());
        line("navn", &terms.name);
        line("begrundelse", &terms.justification);
        line("databehandleraftale", &terms.contract);
        for category in &terms.categories {
            line("datakategori", category);
        }
        line("opbevaring", &terms.retention);
        if let Some(basis) = &terms.basis {
            line("regler eller WSDL (SHA-256)", basis);
        }
        if let Some(replaces) = &terms.replaces {
            line("ny udgave af", replaces);
        }
        for request in &terms.depends_on {
            line("afhænger af anmodning", request);
        }
    }
    // Of a line of a request it stands above, where it stood when it was signed.
    if agreement.terms.as_ref().is_none_or(|terms| terms.basis.is_none())
        && let Some(basis) = &agreement.basis
    {
        line("regler eller WSDL (SHA-256)", basis);
    }
    text
}

/// What a new version says otherwise than the agreement that it is to take the place of: `-` as it was, `+` as it will be. Left out
/// is what tells the two apart and changes nothing.
pub fn differences(before: &Agreement, after: &Agreement) -> Vec<String> {
    const OWN: [&str; 5] = ["serviceaftale", "tilstand", "anmodning", "ny udgave af", "ophører"];
    let lines = |agreement: &Agreement| -> Vec<String> {
        let own = |line: &&str| line.split_once(": ").is_some_and(|(name, _)| OWN.contains(&name));
        text(agreement).lines().filter(|line| !own(line)).map(str::to_owned).collect()
    };
    let (before, after) = (lines(before), lines(after));
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let come = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect()
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
