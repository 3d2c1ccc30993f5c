//! The report as text, JSON or CSV, written call by call.

use std::io::{self, Write};

use serde::Serialize;

use super::account::{Account, Of, Sum};
use super::row::{Amounts, ByRule, Named, Row};
use crate::cli::lang::Lang;
use crate::text::cell;

/// What the report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
}

/// What stands before the calls.
#[derive(Debug, Clone, Serialize)]
pub struct Head {
    /// The id of the question in the auditors' log.
    pub question: uuid::Uuid,
    /// When it was asked.
    pub asked_at: String,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What was asked, in words.
    pub about: Vec<String>,
    /// The folders that were read.
    pub logs: Vec<String>,
}

/// What stands after them.
#[derive(Debug, Clone, Serialize)]
pub struct Foot {
    /// How many calls were found.
    pub calls: u64,
    /// What the reader must know of the answer: what could not be read, or is not there any more.
    pub notes: Vec<String>,
    /// Whether something kept the answer from being whole.
    pub whole: bool,
}

/// Writes a report.
pub struct Report<'o, W> {
    out: &'o mut W,
    format: Format,
    lang: Lang,
    rows: u64,
}

/// The columns of the CSV.
const COLUMNS: [&str; 26] = [
    "log",
    "call",
    "when",
    "when_utc",
    "outcome",
    "refusal",
    "authority",
    "authority_name",
    "client_system",
    "client_system_name",
    "certificate",
    "binding",
    "service",
    "operation",
    "legal_basis",
    "purpose",
    "front_agreement",
    "back_agreements",
    "judged_by",
    "version",
    "sha256",
    "persons",
    "asked",
    "decided",
    "released",
    "removed",
];

impl<'o, W: Write> Report<'o, W> {
    /// Begins a report.
    ///
    /// # Errors
    /// Nobody takes it.
    pub fn begin(out: &'o mut W, format: Format, lang: Lang, head: &Head, counted: bool) -> io::Result<Self> {
        match format {
            Format::Text => {
                let Head { question, asked_at, by, reason, about, logs } = head;
                writeln!(out, "{} {question}, {asked_at}, {by}: {reason}", lang.word("Spørgsmål", "Question"))?;
                about.iter().try_for_each(|about| writeln!(out, "  {about}"))?;
                writeln!(out, "  {}: {}", lang.word("logge", "logs"), logs.join(", "))?;
                writeln!(out)?;
            }
            Format::Json => {
                write!(out, "{{\"asked\":")?;
                serde_json::to_writer(&mut *out, head)?;
                write!(out, ",\"{}\":[", if counted { "account" } else { "calls" })?;
            }
            Format::Csv if counted => {}
            Format::Csv => line(out, COLUMNS.map(str::to_owned))?,
        }
        Ok(Self { out, format, lang, rows: 0 })
    }

    /// Writes a call.
    ///
    /// # Errors
    /// Nobody takes it.
    pub fn call(&mut self, row: &Row) -> io::Result<()> {
        self.rows += 1;
        match self.format {
            Format::Text => self.text(row),
            Format::Json => self.item(row),
            Format::Csv => line(self.out, cells(row, self.lang)),
        }
    }

    /// Writes the account.
    ///
    /// # Errors
    /// Nobody takes it.
    pub fn account(&mut self, account: &Account, named: impl Fn(&str) -> Named) -> io::Result<()> {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(flatten)]
            of: &'a Of,
            #[serde(skip_serializing_if = "Option::is_none")]
            authority_name: Option<String>,
            #[serde(flatten)]
            sum: &'a Sum,
        }
        if self.format == Format::Csv {
            let names = [
                "authority",
                "authority_name",
                "service",
                "operation",
                "legal_basis",
                "purpose",
                "outcome",
                "refusal",
                "calls",
                "persons_named",
                "objects_released",
                "objects_removed",
                "fields_removed",
            ];
            line(self.out, names.map(str::to_owned))?;
        }
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        for (of, sum) in &account.0 {
            self.rows += sum.calls;
            let authority = of.authority.as_deref().map(&named);
            let authority_name = authority.as_ref().and_then(|named| named.name.clone());
            let figures = [sum.calls, sum.persons_named, sum.objects_released, sum.objects_removed, sum.fields_removed];
            match self.format {
                Format::Json => {
                    let first = self.rows == sum.calls;
                    self.piece(first, &Line { of, authority_name, sum })?;
                }
                Format::Csv => {
                    let texts = [&of.operation, &of.legal_basis, &of.purpose].map(|text| text.clone().unwrap_or_default());
                    let [operation, basis, purpose] = texts;
                    let refusal = of.refusal.clone().unwrap_or_default();
                    let (authority, name) = (of.authority.clone().unwrap_or_default(), authority_name.unwrap_or_default());
                    let of = [authority, name, of.service.clone(), operation, basis, purpose, of.outcome.to_owned(), refusal];
                    line(self.out, of.into_iter().chain(figures.map(|figure| figure.to_string())))?;
                }
                Format::Text => {
                    let authority = authority.map_or_else(|| "–".to_owned(), |named| named.to_string());
                    writeln!(self.out, "{authority}: {}, {}", of.service, dash(&of.operation))?;
                    let purpose = self.lang.word("formål", "purpose");
                    writeln!(self.out, "    {}; {purpose}: {}", dash(&of.legal_basis), dash(&of.purpose))?;
                    let [calls, persons, released, removed, fields] = figures;
                    let outcome = outcome(self.lang, of.outcome, of.refusal.as_deref());
                    let told = self.lang.word(
                        &format!("{calls} kald {outcome}; personer nævnt {persons}, objekter udleveret {released}, fjernet {removed}, felter fjernet {fields}"),
                        &format!("{calls} calls {outcome}; persons named {persons}, objects released {released}, removed {removed}, fields removed {fields}"),
                    );
                    writeln!(self.out, "    {told}")?;
                }
            }
        }
        Ok(())
    }

    /// Ends the report. `aside` takes the notes where the format has no place for them.
    ///
    /// # Errors
    /// Nobody takes it.
    pub fn end(self, foot: &Foot, aside: &mut impl Write) -> io::Result<()> {
        match self.format {
            Format::Json => {
                write!(self.out, "],\"calls_found\":{},\"whole\":{},\"notes\":", foot.calls, foot.whole)?;
                serde_json::to_writer(&mut *self.out, &foot.notes)?;
                writeln!(self.out, "}}")
            }
            Format::Text => {
                writeln!(self.out, "{} {}", foot.calls, self.lang.word("kald", "calls"))?;
                foot.notes.iter().try_for_each(|note| writeln!(self.out, "{note}"))
            }
            Format::Csv => foot.notes.iter().try_for_each(|note| writeln!(aside, "{note}")),
        }
    }

    fn item(&mut self, row: &impl Serialize) -> io::Result<()> {
        self.piece(self.rows == 1, row)
    }

    fn piece(&mut self, first: bool, item: &impl Serialize) -> io::Result<()> {
        self.out.write_all(if first { b"\n" } else { b",\n" })?;
        Ok(serde_json::to_writer(&mut *self.out, item)?)
    }

    fn text(&mut self, row: &Row) -> io::Result<()> {
        let lang = self.lang;
        let dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        let outcome = outcome(lang, row.outcome, row.refusal.as_deref());
        writeln!(self.out, "{}  {} {}  {outcome}", row.when, lang.word("kald", "call"), row.call)?;
        let mut say = |da: &str, en: &str, text: String| writeln!(self.out, "    {}: {text}", lang.word(da, en));
        let mut who = dash(row.authority.as_ref().map(ToString::to_string));
        if row.authority.is_some() && !row.authority_proven {
            who.push_str(&lang.word(" (påstået: ingen aftale fundet)", " (claimed: no agreement was found)"));
        }
        let system =
            dash(row.client_system.map(|id| Named { id: id.to_string(), name: row.client_system_name.clone() }.to_string()));
        let certificate = dash(row.certificate.clone());
        say("hvem", "who", format!("{who}; system {system}; {} {certificate}", lang.word("certifikat", "certificate")))?;
        let purpose = lang.word("formål", "purpose");
        say("grundlag", "basis", format!("{}; {purpose}: {}", dash(row.legal_basis.clone()), dash(row.purpose.clone())))?;
        let back: Vec<_> = row.back_agreements.iter().map(ToString::to_string).collect();
        let (front, back) =
            (dash(row.front_agreement.map(|id| id.to_string())), if back.is_empty() { "–".to_owned() } else { back.join(", ") });
        say("aftaler", "agreements", format!("{} {front}; {} {back}", lang.word("ind", "in"), lang.word("videre", "onward")))?;
        match &row.judged_by {
            Some(by) => {
                let version = by.version.as_ref().map_or_else(String::new, |version| format!(" version {version}"));
                let name = by.name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
                say("bedømt efter", "judged by", format!("{}{name}{version}, SHA-256 {}", by.what, by.sha256))?;
            }
            None if row.released_whole.is_some() => {
                say("bedømt efter", "judged by", lang.word("tjenestens egne regler", "the service's own rules"))?;
            }
            None => say(
                "bedømt efter",
                "judged by",
                lang.word("intet: kaldet nåede ikke så langt", "nothing: the call did not come so far"),
            )?,
        }
        let mut asked = vec![format!("{}, {}", row.service, dash(row.operation.clone()))];
        let left_out = if row.persons_left_out > 0 { format!(" (+{})", row.persons_left_out) } else { String::new() };
        asked.push(format!("{}{left_out} {}", row.persons, lang.word("person(er), forseglet", "person(s), sealed")));
        asked.extend(row.asked.iter().map(ToString::to_string));
        say("spurgt", "asked", asked.join("; "))?;
        if !row.decided.is_empty() {
            let decided: Vec<_> = row.decided.iter().map(ToString::to_string).collect();
            say("afgjort", "decided", decided.join("; "))?;
        }
        match (&row.released, &row.removed, &row.released_whole) {
            (Some(released), Some(removed), _) => {
                say("udleveret", "released", amounts(released, lang).join("\n        "))?;
                let mut told = amounts(removed, lang);
                if row.removed_places_recorded == Some(false) {
                    told.push(lang.word("hvilke felter: ikke registreret", "which fields: not recorded"));
                }
                say("fjernet", "removed", told.join("\n        "))
            }
            (_, _, Some(whole)) => say("udleveret", "released", whole.clone()),
            _ => say("udleveret", "released", lang.word("intet", "nothing")),
        }
    }
}

fn outcome(lang: Lang, outcome: &str, refusal: Option<&str>) -> String {
    let refusal = refusal.map_or_else(String::new, |code| format!(" {code}"));
    let told = match outcome {
        "served" => lang.word("besvaret", "served"),
        "refused" => lang.word("afvist", "refused"),
        "abandoned" => lang.word("afbrudt af kalderen", "abandoned by the caller"),
        _ => lang.word("sendt videre og aldrig afsluttet", "forwarded and never closed"),
    };
    format!("{told}{refusal}")
}

fn by_rule(of: &ByRule, what: &str) -> String {
    let why = of.why.as_ref().map_or_else(String::new, |why| format!(" – {why}"));
    let places: Vec<_> = of.places.iter().map(|(place, many)| format!("{place} ×{many}")).collect();
    let places = if places.is_empty() { String::new() } else { format!(" {{{}}}", places.join(", ")) };
    format!("{} {what} {}{why}{places}", of.count, of.rule)
}

fn amounts(of: &Amounts, lang: Lang) -> Vec<String> {
    let (objects, fields) = (lang.word("objekter", "objects"), lang.word("felter", "fields"));
    let objects = of.objects.iter().map(|each| by_rule(each, &objects));
    let all: Vec<_> = objects.chain(of.fields.iter().map(|each| by_rule(each, &fields))).collect();
    if all.is_empty() { vec![lang.word("intet", "nothing")] } else { all }
}

fn cells(row: &Row, lang: Lang) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let told = |told: &[super::row::Told]| told.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let judged = |take: fn(&super::row::JudgedBy) -> String| row.judged_by.as_ref().map(take).unwrap_or_default();
    let amounts = |of: &Option<Amounts>| of.as_ref().map_or_else(String::new, |of| amounts(of, lang).join("; "));
    let mut removed = amounts(&row.removed);
    if row.removed_places_recorded == Some(false) {
        removed.push_str("; ");
        removed.push_str(&lang.word("hvilke felter: ikke registreret", "which fields: not recorded"));
    }
    vec![
        row.log.clone(),
        row.call.to_string(),
        row.when.clone(),
        row.when_utc.to_string(),
        row.outcome.to_owned(),
        text(&row.refusal),
        row.authority.as_ref().map(|named| named.id.clone()).unwrap_or_default(),
        row.authority.as_ref().and_then(|named| named.name.clone()).unwrap_or_default(),
        row.client_system.map(|id| id.to_string()).unwrap_or_default(),
        text(&row.client_system_name),
        text(&row.certificate),
        row.binding.unwrap_or_default().to_owned(),
        row.service.clone(),
        text(&row.operation),
        text(&row.legal_basis),
        text(&row.purpose),
        row.front_agreement.map(|id| id.to_string()).unwrap_or_default(),
        row.back_agreements.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        judged(|by| by.name.clone().unwrap_or_else(|| by.kind.to_owned())),
        judged(|by| by.version.clone().unwrap_or_default()),
        judged(|by| by.sha256.clone()),
        (row.persons + row.persons_left_out).to_string(),
        told(&row.asked),
        told(&row.decided),
        row.released_whole.clone().unwrap_or_else(|| amounts(&row.released)),
        removed,
    ]
}

/// A line of CSV; no cell is a formula to a spreadsheet.
fn line(out: &mut impl Write, cells: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(cells.into_iter().map(|text| cell(&text)))?;
    writer.flush()
}
