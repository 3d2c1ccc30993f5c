//! How agreements are printed: for a reader, and as JSON.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use jiff::{Timestamp, civil::Time};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    agreements::{Agreement, Authority, Decision, Standing, State},
    clock::copenhagen,
    services,
};

/// Three lines for each agreement.
pub(super) fn list(agreements: &[Agreement], authorities: &[Authority], now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    for agreement in agreements {
        writeln!(
            out,
            "{}  {:5}  {:11}  {:8}  {} {}",
            agreement.id,
            agreement.side.name(),
            agreement.standing(now).state().wire_name(),
            agreement.environment.as_str(),
            agreement.authority,
            name_of(authorities, agreement),
        )?;
        writeln!(out, "  {}  system {}", period(agreement, now), agreement.system)?;
        writeln!(out, "  {}", agreement.legal_basis)?;
    }
    Ok(())
}

/// Everything about one agreement, and its history.
pub(super) fn one(
    agreement: &Agreement,
    decisions: &[Decision],
    authorities: &[Authority],
    now: Timestamp,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "id            {}", agreement.id)?;
    writeln!(out, "side          {}", agreement.side.name())?;
    writeln!(out, "holds now     {}", agreement.standing(now).describe().en())?;
    writeln!(out, "system        {}", agreement.system)?;
    for certificate in &agreement.certificates {
        writeln!(out, "certificate   {certificate} (SHA-256)")?;
    }
    writeln!(out, "service       {}", agreement.service)?;
    writeln!(out, "authority     {} {}", agreement.authority, name_of(authorities, agreement))?;
    writeln!(out, "environment   {}", agreement.environment)?;
    writeln!(out, "valid from    {}", day(agreement.valid_from))?;
    writeln!(
        out,
        "valid to      {}",
        agreement.valid_to.map_or("no end".to_owned(), |end| format!("{} (not included)", day(end)))
    )?;
    if let Some(ends) = agreement.ends_at {
        writeln!(out, "ends          {}", day(ends))?;
    }
    if let Some(terms) = &agreement.terms {
        writeln!(out, "name          {}", terms.name)?;
        writeln!(out, "request       {}", terms.request)?;
    }
    writeln!(out, "legal basis   {}", agreement.legal_basis)?;
    writeln!(out, "purpose       {}", agreement.purpose)?;
    for (name, value) in scope(agreement) {
        writeln!(out, "{name:<13} {}", value.map_or("no constraint".to_owned(), narrowed))?;
    }
    writeln!(out, "decisions")?;
    for decision in decisions {
        let from = decision.from.map_or("(new)", State::wire_name);
        let by = decision.by.as_deref().unwrap_or_default();
        let reason = decision.reason.as_deref().unwrap_or_default();
        writeln!(out, "  {}  {from} -> {}  {by}  {reason}", decision.at, decision.to)?;
    }
    Ok(())
}

/// What a decision came to, and whether anything is opened by it now.
pub(super) fn decided(agreement: &Agreement, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let by = agreement.decided_by.as_deref().unwrap_or_default();
    let reason = agreement.reason.as_deref().unwrap_or_default();
    writeln!(out, "agreement {} is now {}, decided by {by}: {reason}", agreement.id, agreement.state)?;
    match agreement.standing(now) {
        Standing::Holds if agreement.ends_at.is_some() => {
            writeln!(out, "it holds until {}", agreement.ends_at.map_or(String::new(), day))
        }
        Standing::NotBegun(from) => writeln!(out, "it opens nothing before {}", day(from)),
        Standing::Over => writeln!(out, "it opens nothing, for its time is over: valid_to has passed"),
        Standing::Holds | Standing::State(_) => Ok(()),
    }
}

/// Everything that an agreement may be narrowed by, and what else this one is narrowed by.
fn scope(agreement: &Agreement) -> impl Iterator<Item = (&str, Option<&Value>)> {
    let known = services::vocabulary().scope.into_iter().map(|key| key.name);
    let names: BTreeSet<&str> = known.chain(agreement.scope.names()).collect();
    names.into_iter().map(|name| (name, agreement.scope.get(name)))
}

fn narrowed(to: &Value) -> String {
    let one = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    to.as_array().map_or_else(|| one(to), |items| items.iter().map(one).collect::<Vec<_>>().join(", "))
}

fn period(agreement: &Agreement, now: Timestamp) -> String {
    let end = agreement.valid_to.map_or("no end".to_owned(), day);
    let later = matches!(agreement.standing(now), Standing::NotBegun(_));
    format!("{} – {end}{}", day(agreement.valid_from), if later { " (not begun)" } else { "" })
}

/// An instant as Copenhagen has it: the date alone where it is midnight there.
fn day(instant: Timestamp) -> String {
    let Some(zone) = copenhagen() else { return instant.to_string() };
    let local = instant.to_zoned(zone);
    let time = local.time();
    if time == Time::midnight() {
        local.date().to_string()
    } else {
        local.timestamp().display_with_offset(local.offset()).to_string()
    }
}

fn name_of<'a>(authorities: &'a [Authority], agreement: &Agreement) -> &'a str {
    authorities.iter().find(|authority| authority.cvr == agreement.authority).map_or("", |authority| authority.name.as_str())
}

/// An agreement for a program: the names of the import file, and where it stands now.
#[derive(Serialize)]
struct Row<'a> {
    id: Uuid,
    side: &'static str,
    /// Where it stands now, its period counted.
    stands: &'static str,
    holds: bool,
    system: Uuid,
    certificates: Vec<String>,
    service: Uuid,
    authority: String,
    authority_name: &'a str,
    environment: &'a str,
    valid_from: Timestamp,
    valid_to: Option<Timestamp>,
    /// What was last decided.
    state: &'static str,
    legal_basis: &'a str,
    purpose: &'a str,
    /// What it is narrowed to, each under the key of the file.
    #[serde(flatten)]
    scope: BTreeMap<&'a str, Value>,
    decided_by: Option<&'a str>,
    decided_at: Option<Timestamp>,
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decisions: Option<Vec<Past<'a>>>,
}

#[derive(Serialize)]
struct Past<'a> {
    from: Option<&'static str>,
    to: &'static str,
    by: Option<&'a str>,
    decided_at: Option<Timestamp>,
    recorded_at: Timestamp,
    reason: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of(agreement: &'a Agreement, authorities: &'a [Authority], now: Timestamp) -> Self {
        let standing = agreement.standing(now);
        Self {
            id: agreement.id,
            side: agreement.side.name(),
            stands: standing.state().wire_name(),
            holds: standing == Standing::Holds,
            system: agreement.system,
            certificates: agreement.certificates.iter().map(ToString::to_string).collect(),
            service: agreement.service,
            authority: agreement.authority.to_string(),
            authority_name: name_of(authorities, agreement),
            environment: agreement.environment.as_str(),
            valid_from: agreement.valid_from,
            valid_to: agreement.valid_to,
            state: agreement.state.wire_name(),
            legal_basis: &agreement.legal_basis,
            purpose: &agreement.purpose,
            scope: scope(agreement).map(|(name, value)| (name, value.cloned().unwrap_or_else(|| json!([])))).collect(),
            decided_by: agreement.decided_by.as_deref(),
            decided_at: agreement.decided_at,
            reason: agreement.reason.as_deref(),
            decisions: None,
        }
    }
}

/// A list, empty where there is none.
pub(super) fn list_as_json(
    agreements: &[Agreement],
    authorities: &[Authority],
    now: Timestamp,
    out: &mut impl Write,
) -> io::Result<()> {
    let rows: Vec<_> = agreements.iter().map(|agreement| Row::of(agreement, authorities, now)).collect();
    write_json(&rows, out)
}

/// One agreement with its history.
pub(super) fn one_as_json(
    agreement: &Agreement,
    decisions: &[Decision],
    authorities: &[Authority],
    now: Timestamp,
    out: &mut impl Write,
) -> io::Result<()> {
    let past = decisions.iter().map(|decision| Past {
        from: decision.from.map(State::wire_name),
        to: decision.to.wire_name(),
        by: decision.by.as_deref(),
        decided_at: decision.decided_at,
        recorded_at: decision.at,
        reason: decision.reason.as_deref(),
    });
    write_json(&Row { decisions: Some(past.collect()), ..Row::of(agreement, authorities, now) }, out)
}

fn write_json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}
