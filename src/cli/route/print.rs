//! How routes are printed: for a reader, and as JSON.

use std::io::{self, Write};

use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use uuid::Uuid;

use super::Question;
use crate::{
    agreements::{
        Authority, Route,
        route::{
            OnDay, Standing,
            file::Party,
            store::{Added, Past},
        },
    },
    cli::lang::Lang,
    clock::civil_day,
    id::cvr::Cvr,
    signature::credentials::{inspect, thumbprint},
};

/// What became of a file.
pub(super) fn added(routes: &[Route], done: &Added, today: Date, out: &mut impl Write) -> io::Result<()> {
    for route in &done.made_room {
        ended(route, true, today, out)?;
    }
    if let ([route], 1) = (routes, done.added) {
        writeln!(out, "route {} added: {}", route.id, route.period)?;
    } else {
        writeln!(out, "routes: {} added, {} unchanged", done.added, done.unchanged)?;
    }
    for route in &done.ended_since {
        writeln!(out, "route {} stays as it is ({}): its end was changed after it was added", route.id, route.period)?;
    }
    Ok(())
}

/// What an end came to.
pub(super) fn ended(route: &Route, changed: bool, today: Date, out: &mut impl Write) -> io::Result<()> {
    let id = route.id;
    let Some(to) = route.period.to() else { return Ok(()) };
    match (changed, route.period.standing(today)) {
        (false, _) => writeln!(out, "route {id} ends on {to} already; nothing was changed"),
        (true, Standing::Cancelled) => writeln!(out, "route {id} is cancelled: it ends on its first day, {to}"),
        (true, Standing::Over) => writeln!(out, "route {id} has ended: it receives no more from today, {to}"),
        (true, _) => writeln!(out, "route {id} ends on {to}, the first day on which it no longer receives"),
    }
}

/// Three lines for each route.
pub(super) fn list(routes: &[Route], today: Date, out: &mut impl Write) -> io::Result<()> {
    for route in routes {
        let standing = route.period.standing(today).name();
        writeln!(out, "{}  {standing:9}  {:8}  {}", route.id, route.environment.as_str(), route.period)?;
        writeln!(out, "  service {}  from {} to {}", route.service, Party(route.sender), Party(route.receiver))?;
        writeln!(out, "  system {}  {}  {}", route.system, route.security.model(), route.address)?;
    }
    Ok(())
}

/// Everything about one route, and its history.
pub(super) fn one(route: &Route, past: &[Past], authorities: &[Authority], today: Date, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "id            {}", route.id)?;
    writeln!(out, "today         {}", route.period.standing(today).name())?;
    writeln!(out, "service       {}", route.service)?;
    writeln!(out, "environment   {}", route.environment)?;
    writeln!(out, "sender        {}", named(route.sender, authorities))?;
    writeln!(out, "receiver      {}", named(route.receiver, authorities))?;
    writeln!(out, "valid from    {}", route.period.from())?;
    writeln!(out, "valid to      {}", route.period.to().map_or("no end".to_owned(), |to| format!("{to} (not included)")))?;
    writeln!(out, "system        {}", route.system)?;
    writeln!(out, "address       {}", route.address)?;
    writeln!(out, "entity id     {}", route.entity_id)?;
    writeln!(out, "security      {}", route.security.model())?;
    let (roots, signers) = certificates(route);
    for (what, certificate) in roots.iter().map(|one| ("root", one)).chain(signers.iter().map(|one| ("signs with", one))) {
        writeln!(out, "{what:<13} {} {}", certificate.subject, ends_on(certificate, today).1)?;
        writeln!(out, "              {} (SHA-256)", certificate.sha256)?;
    }
    writeln!(out, "changes")?;
    for change in past {
        let to = change.to.map_or("no end".to_owned(), |to| format!("ends {to}"));
        let decision = &change.decision;
        writeln!(out, "  {}  {}, {to}  {}  {}", decision.at, change.change.name(), decision.by, decision.reason)?;
    }
    Ok(())
}

fn named(party: Option<Cvr>, authorities: &[Authority]) -> String {
    let name = authorities.iter().find(|authority| Some(authority.cvr) == party).map(|authority| authority.name.as_str());
    name.map_or(Party(party).to_string(), |name| format!("{} {name}", Party(party)))
}

/// Who would receive, or why nobody.
pub(super) fn answer(
    question: &Question,
    answer: &OnDay,
    authorities: &[Authority],
    lang: Lang,
    out: &mut impl Write,
) -> io::Result<()> {
    let Question { service, environment, day, .. } = question;
    let (sender, receiver) = (named(Some(question.sender), authorities), named(Some(question.receiver), authorities));
    lang.say(
        out,
        "",
        &format!("{day}: kald af servicen {service} fra {sender} til {receiver} i miljøet {environment}"),
        &format!("{day}: calls of service {service} from {sender} to {receiver} in environment {environment}"),
    )?;
    match answer {
        OnDay::Route(route) => {
            let (roots, signers) = certificates(route);
            let mut line = |da: &str, en: &str, value: &dyn std::fmt::Display| {
                let label = lang.word(da, en);
                writeln!(out, "  {label:width$}  {value}", width = if lang == Lang::Both { 31 } else { 20 })
            };
            line("system", "system", &route.system)?;
            line("adresse", "address", &route.address)?;
            line("entity id", "entity id", &route.entity_id)?;
            line("sikkerhedsmodel", "security", &route.security.model())?;
            for certificate in &signers {
                line("signerer med", "signs with", &certificate.on(*day, lang))?;
            }
            for certificate in &roots {
                line("TLS-rodcertifikat", "TLS root", &certificate.on(*day, lang))?;
            }
            line("rute", "route", &format!("{}, {}", route.id, period(route, lang)))?;
        }
        OnDay::Nobody { last, next } => {
            lang.say(
                out,
                "  ",
                "Ingen modtager: der er ingen rute den dag, og gatewayen afviser kaldet (RouteNotFound).",
                "Nobody receives: there is no route on that day, and the gateway refuses the call (RouteNotFound).",
            )?;
            for (da, en, route) in [("seneste rute", "last route", last), ("næste rute", "next route", next)] {
                let told =
                    |lang| route.as_ref().map(|route| format!("{}, {}, system {}", route.id, period(route, lang), route.system));
                lang.say(
                    out,
                    "  ",
                    &format!("{da}: {}", told(Lang::Da).unwrap_or("ingen".to_owned())),
                    &format!("{en}: {}", told(Lang::En).unwrap_or("none".to_owned())),
                )?;
            }
        }
        OnDay::Several(one, other) => lang.say(
            out,
            "  ",
            &format!("Ruterne {one} og {other} gælder begge, og gatewayen afviser kaldet: afslut den ene (`hjemmel route end`)."),
            &format!("Routes {one} and {other} both hold, and the gateway refuses the call: end one (`hjemmel route end`)."),
        )?,
    }
    Ok(())
}

fn period(route: &Route, lang: Lang) -> String {
    match route.period.to() {
        Some(to) => format!("{} – {to}", route.period.from()),
        None => format!("{} – {}", route.period.from(), lang.word("ingen slutdato", "no end")),
    }
}

/// A certificate for a reader, and for a program.
#[derive(Serialize)]
struct Told {
    subject: String,
    sha256: String,
    /// The last instant of its validity.
    not_after: Option<Timestamp>,
}

impl Told {
    fn on(&self, day: Date, lang: Lang) -> String {
        let (da, en) = ends_on(self, day);
        format!("{} ({})", self.subject, lang.word(&da, &en))
    }
}

/// How long a certificate holds, as it looks on a day, in Danish and in English.
fn ends_on(certificate: &Told, day: Date) -> (String, String) {
    match certificate.not_after.and_then(civil_day) {
        Some(end) if end < day => (format!("udløbet {end}"), format!("expired {end}")),
        Some(end) => (format!("udløber {end}"), format!("expires {end}")),
        None => ("udløb ukendt".to_owned(), "end unknown".to_owned()),
    }
}

/// The certificates of CAs, and those that answers are signed with.
fn certificates(route: &Route) -> (Vec<Told>, Vec<Told>) {
    let roots = route.roots.as_slice().iter().map(|der| {
        let facts = inspect(der).ok();
        Told {
            subject: facts.as_ref().map_or_else(String::new, |facts| facts.subject.clone()),
            sha256: crate::hex::encode(&thumbprint(der)),
            not_after: facts.map(|facts| facts.not_after),
        }
    });
    let signers = route.security.signing_certificates().iter().map(|certificate| Told {
        subject: certificate.subject().to_owned(),
        sha256: certificate.thumbprint_hex(),
        not_after: Some(certificate.not_after()),
    });
    (roots.collect(), signers.collect())
}

/// A route for a program: the names of the file, and where it stands today.
#[derive(Serialize)]
struct Row {
    id: Uuid,
    stands: &'static str,
    holds: bool,
    service: Uuid,
    environment: String,
    sender: String,
    receiver: String,
    valid_from: Date,
    valid_to: Option<Date>,
    system: Uuid,
    address: String,
    entity_id: String,
    security: &'static str,
    roots: Vec<Told>,
    signing_certificates: Vec<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Changed>>,
}

#[derive(Serialize)]
struct Changed {
    change: &'static str,
    valid_to: Option<Date>,
    by: String,
    at: Timestamp,
    reason: String,
}

impl Row {
    fn of(route: &Route, day: Date) -> Self {
        let standing = route.period.standing(day);
        let (roots, signing_certificates) = certificates(route);
        Self {
            id: route.id,
            stands: standing.name(),
            holds: standing == Standing::Holds,
            service: route.service,
            environment: route.environment.to_string(),
            sender: Party(route.sender).to_string(),
            receiver: Party(route.receiver).to_string(),
            valid_from: route.period.from(),
            valid_to: route.period.to(),
            system: route.system,
            address: route.address.to_string(),
            entity_id: route.entity_id.to_string(),
            security: route.security.model().name(),
            roots,
            signing_certificates,
            changes: None,
        }
    }
}

/// A list, empty where there is none.
pub(super) fn list_as_json(routes: &[Route], today: Date, out: &mut impl Write) -> io::Result<()> {
    json(&routes.iter().map(|route| Row::of(route, today)).collect::<Vec<_>>(), out)
}

/// One route with its history.
pub(super) fn one_as_json(route: &Route, past: &[Past], today: Date, out: &mut impl Write) -> io::Result<()> {
    let changed = |past: &Past| Changed {
        change: past.change.name(),
        valid_to: past.to,
        by: past.decision.by.clone(),
        at: past.decision.at,
        reason: past.decision.reason.clone(),
    };
    json(&Row { changes: Some(past.iter().map(changed).collect()), ..Row::of(route, today) }, out)
}

/// Who would receive, or the nearest routes; where each stands is shown as of the day asked about.
#[derive(Serialize)]
struct Answer {
    day: Date,
    service: Uuid,
    environment: String,
    sender: String,
    receiver: String,
    route: Option<Row>,
    last: Option<Row>,
    next: Option<Row>,
    /// Routes that contradict each other, which the store never holds by itself.
    several: Vec<Uuid>,
}

/// The answer for a program.
pub(super) fn answer_as_json(question: &Question, answer: &OnDay, out: &mut impl Write) -> io::Result<()> {
    let row = |route: &Route| Row::of(route, question.day);
    let (route, last, next, several) = match answer {
        OnDay::Route(route) => (Some(row(route)), None, None, Vec::new()),
        OnDay::Nobody { last, next } => (None, last.as_deref().map(row), next.as_deref().map(row), Vec::new()),
        OnDay::Several(one, other) => (None, None, None, vec![*one, *other]),
    };
    let answer = Answer {
        day: question.day,
        service: question.service,
        environment: question.environment.to_string(),
        sender: question.sender.to_string(),
        receiver: question.receiver.to_string(),
        route,
        last,
        next,
        several,
    };
    json(&answer, out)
}

fn json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}
