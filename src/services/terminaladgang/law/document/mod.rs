//! Reads and compiles a policy file (`policies/*.toml`): the rules as data, each with the words of the law it rests on.
//!
//! A file decides *less or more within what the code knows*: it switches fields, narrows forms, sets the window's
//! reading. It can name no path, criterion or reason that the code does not know, so a typing error cannot release
//! anything; and every problem is reported at once, with line and remedy, for a policy is read by people.

mod reader;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::reader::{Reader, Section};
use super::release::catalogue::{Field, Form, Guard};
use super::release::{FieldRule, ReleaseRules, Words};
use super::rules::{Criterion, Future, Naive, Outside, PersonCheck, Reading, RequestRules, Roles, SortingElement};

/// One thing wrong in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// Everything that is wrong in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyErrors {
    /// The file, for the message only.
    pub path: PathBuf,
    /// The problems, by line.
    pub problems: Vec<PolicyError>,
}

impl std::fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{}: {} {}", self.path.display(), problem.line, problem.what, problem.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyErrors {}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bilingual {
    /// Danish.
    pub da: String,
    /// English.
    pub en: String,
}

/// One entry of a policy's changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The version that it brought.
    pub version: String,
    /// When it was decided.
    pub date: jiff::civil::Date,
    /// The widenings that it acknowledges, by the ids that [`super::diff`] gives them.
    pub widens: Vec<String>,
    /// Why, in words.
    pub words: Bilingual,
}

/// A policy, compiled. Cheap to clone in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    id: String,
    version: String,
    valid_from: jiff::civil::Date,
    digest: [u8; 32],
    legal_basis: Bilingual,
    purpose: Bilingual,
    request: RequestRules,
    said: Said,
    release: Arc<ReleaseRules>,
    changelog: Vec<Change>,
}

/// The words of the request side, each list in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Said {
    rules: Vec<Words>,
    criteria: Vec<Words>,
    sorting: Vec<Words>,
}

impl Policy {
    /// Reads a policy from the text of its file; `path` is for messages only.
    ///
    /// # Errors
    /// Every problem in the file, with line and remedy.
    pub fn read(text: &str, path: &Path) -> Result<Self, PolicyErrors> {
        let mut reader = Reader::new(text);
        let policy = reader.parse().and_then(|root| compile(&mut reader, &root));
        match (policy, reader.into_problems()) {
            (Some(policy), problems) if problems.is_empty() => Ok(policy),
            (_, problems) => Err(PolicyErrors { path: path.to_owned(), problems }),
        }
    }

    /// The policy's id, as agreements name it.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// Its version; every change of meaning has its own.
    pub fn version(&self) -> &str {
        &self.version
    }
    /// The first day on which it is in force (Europe/Copenhagen).
    pub fn valid_from(&self) -> jiff::civil::Date {
        self.valid_from
    }
    /// SHA-256 of the file's bytes, for the audit record.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
    /// The legal basis.
    pub fn legal_basis(&self) -> &Bilingual {
        &self.legal_basis
    }
    /// The purpose that the law allows.
    pub fn purpose(&self) -> &Bilingual {
        &self.purpose
    }
    /// What a request may ask.
    pub fn request(&self) -> &RequestRules {
        &self.request
    }
    /// The words of each request rule.
    pub fn rule_words(&self) -> impl Iterator<Item = &Words> {
        self.said.rules.iter()
    }
    /// What may be searched on, with the words that say why.
    pub fn criteria(&self) -> impl Iterator<Item = (Criterion, &Words)> {
        self.request.criteria.iter().copied().zip(&self.said.criteria)
    }
    /// What may be sorted by, with the words that say why.
    pub fn sorting(&self) -> impl Iterator<Item = (SortingElement, &Words)> {
        self.request.sorting.iter().copied().zip(&self.said.sorting)
    }
    /// The words of every rule: of the request side, the fields and the guards, each once.
    pub fn words(&self) -> Vec<&Words> {
        let mut all: Vec<_> = self.said.rules.iter().chain(&self.said.criteria).chain(&self.said.sorting).collect();
        for words in self.release.fields().map(|(_, rule)| &rule.words).chain(self.release.guards().map(|(_, words)| words)) {
            if !all.iter().any(|known| known.id == words.id && known.basis == words.basis) {
                all.push(words);
            }
        }
        all
    }
    /// What changed, version by version, as the file says.
    pub fn changelog(&self) -> &[Change] {
        &self.changelog
    }
    /// What an answer may contain.
    pub fn release(&self) -> &Arc<ReleaseRules> {
        &self.release
    }
}

/// The request rules that the code knows; each must stand in the file.
const REQUEST_RULES: &[&str] = &["reading", "naive", "outside", "direct-lookup", "include", "page-cap"];

/// What may be searched on, with the fields that must then be released: a search may test only what the answer may show.
const CRITERIA: &[(&str, (Criterion, &[Field]))] = &[
    ("Dispositionsdato", (Criterion::Dispositionsdato, &[Field::DispositionDate])),
    ("Startdato", (Criterion::Startdato, &[Field::PeriodStart])),
    ("Slutdato", (Criterion::Slutdato, &[Field::PeriodEnd])),
    ("SamletBruttobeloeb", (Criterion::SamletBruttobeloeb, &[Field::GrossAmount])),
    ("BeloebUdbetalt", (Criterion::BeloebUdbetalt, &[Field::PaidAmount])),
    ("BeloebSendtTilUdbetaling", (Criterion::BeloebSendtTilUdbetaling, &[Field::SentAmount])),
    ("BeloebEfterSkatATP", (Criterion::BeloebEfterSkatATP, &[Field::NetAmount])),
    ("Klassifikationsbeskrivelse", (Criterion::Klassifikationsbeskrivelse, &[Field::LineKle])),
    (
        "OekonomiskYdelseEffektueringRelation",
        (
            Criterion::OekonomiskYdelseEffektueringRelation,
            &[Field::LineClass, Field::LineRole, Field::LineType, Field::LineIndex],
        ),
    ),
    ("Ydelsesbeloeb", (Criterion::Ydelsesbeloeb, &[Field::LineAmount])),
    ("YdelsesperiodeStartdato", (Criterion::YdelsesperiodeStartdato, &[Field::LineStart])),
    ("YdelsesperiodeSlutdato", (Criterion::YdelsesperiodeSlutdato, &[Field::LineEnd])),
    ("Ejer", (Criterion::Ejer, &[Field::OwnerCvr])),
    ("OekonomiskEffektueringPart", (Criterion::OekonomiskEffektueringPart, &[Field::PartyReference])),
];

/// What may be sorted by, likewise.
const SORTING: &[(&str, (SortingElement, &[Field]))] = &[
    ("Dispositionsdato", (SortingElement::Dispositionsdato, &[Field::DispositionDate])),
    ("Ydelsesnavn", (SortingElement::Ydelsesnavn, &[Field::LineKle])),
];

fn compile(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Policy> {
    let id = reader.text(root, "id");
    let version = reader.text(root, "version");
    let valid_from = reader.date(root, "valid-from");
    let legal_basis = bilingual(reader, root, "legal-basis");
    let purpose = bilingual(reader, root, "purpose");
    let roles = reader.table(root, "roles").and_then(|table| roles(reader, &table));
    let request = reader.table(root, "request");
    let release = reader.table(root, "release");
    let changelog = changelog(reader, root, version.as_deref());
    reader.close(root, &["id", "version", "valid-from", "changelog", "legal-basis", "purpose", "roles", "request", "release"]);
    let release = release.and_then(|table| compile_release(reader, &table, roles.clone()));
    let request = request.and_then(|table| compile_request(reader, &table, roles, release.as_ref()));
    let (request, said) = request?;
    Some(Policy {
        id: id?,
        version: version?,
        valid_from: valid_from?,
        digest: reader.digest(),
        legal_basis: legal_basis?,
        purpose: purpose?,
        request,
        said,
        release: Arc::new(release?),
        changelog,
    })
}

/// What changed with each version: a change of meaning that nobody tells is not seen by whoever audits it.
fn changelog(reader: &mut Reader<'_>, root: &Section<'_>, version: Option<&str>) -> Vec<Change> {
    let mut told = Vec::new();
    for entry in reader.tables(root, "changelog") {
        let (version, date) = (reader.text(&entry, "version"), reader.date(&entry, "date"));
        let widens = match entry.has("widens") {
            true => reader.texts(&entry, "widens").into_iter().map(|(id, _)| id).collect(),
            false => Vec::new(),
        };
        let (da, en) = (reader.text(&entry, "da"), reader.text(&entry, "en"));
        reader.close(&entry, &["version", "date", "widens", "da", "en"]);
        if let (Some(version), Some(date), Some(da), Some(en)) = (version, date, da, en) {
            told.push(Change { version, date, widens, words: Bilingual { da, en } });
        }
    }
    if let Some(version) = version.filter(|version| !told.iter().any(|change| change.version == *version)) {
        missing(reader, root, "[[changelog]]", &format!("version {version}"));
    }
    told
}

fn bilingual(reader: &mut Reader<'_>, root: &Section<'_>, key: &str) -> Option<Bilingual> {
    let table = reader.table(root, key)?;
    let (da, en) = (reader.text(&table, "da"), reader.text(&table, "en"));
    reader.close(&table, &["da", "en"]);
    Some(Bilingual { da: da?, en: en? })
}

fn roles(reader: &mut Reader<'_>, table: &Section<'_>) -> Option<Roles> {
    let mut role = |key| {
        let text = reader.text(table, key)?;
        let uuid = uuid::Uuid::try_parse(&text).ok().filter(|_| text.len() == 36);
        if uuid.is_none() {
            reader.problem(
                table.line_of(key),
                format!("The role \"{key}\" is not a UUID."),
                "Write the role's UUID as the index's guidance gives it.".to_owned(),
            );
        }
        uuid.map(|uuid| uuid.to_string())
    };
    let (owner, party, grantee) = (role("owner"), role("party"), role("grantee"));
    reader.close(table, &["owner", "party", "grantee"]);
    Some(Roles { owner: owner?, party: party?, grantee: grantee? })
}

/// The id and words that every rule has.
fn words(reader: &mut Reader<'_>, rule: &Section<'_>) -> Option<Words> {
    let id = reader.text(rule, "id");
    let basis = match rule.has("basis") {
        true => reader.text(rule, "basis"),
        false => {
            let name = id.as_deref().unwrap_or("without an id");
            reader.problem(
                rule.line(),
                format!("The rule {name} has no basis."),
                "Add basis = \"§ …: the words of the law\", or \"technical: …\" or \"inferred: …\".".to_owned(),
            );
            None
        }
    };
    if let Some(basis) = &basis
        && !["§ ", "technical: ", "inferred: "]
            .iter()
            .any(|start| basis.strip_prefix(start).is_some_and(|rest| !rest.trim().is_empty()))
    {
        reader.problem(
            rule.line_of("basis"),
            "The basis names no source.".to_owned(),
            "Begin it with \"§ \" and the words of the law, or with \"technical: \" or \"inferred: \" and why.".to_owned(),
        );
    }
    let basis_da = rule.has("basis-da").then(|| reader.text(rule, "basis-da")).flatten();
    let (da, en) = (reader.text(rule, "da"), reader.text(rule, "en"));
    Some(Words { id: id?, basis: basis?, basis_da, da: da?, en: en? })
}

/// A name among those that the code knows; anything else is a problem that lists them.
fn known<'k, T>(reader: &mut Reader<'_>, rule: &Section<'_>, key: &str, table: &'k [(&str, T)]) -> Option<&'k T> {
    let name = reader.text(rule, key)?;
    let found = table.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    if found.is_none() {
        let names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
        reader.unknown(rule.line_of(key), &format!("{key} \"{name}\""), &names);
    }
    found
}

fn compile_release(reader: &mut Reader<'_>, table: &Section<'_>, roles: Option<Roles>) -> Option<ReleaseRules> {
    let mut fields: Vec<Option<FieldRule>> = Field::ALL.iter().map(|_| None).collect();
    let mut ids = Vec::new();
    for rule in reader.tables(table, "field") {
        read_field(reader, &rule, &mut fields, &mut ids);
    }
    let mut guards: Vec<(Guard, Words)> = Vec::new();
    let (mut person_check, mut empty_status) = (None, None);
    // A policy written before the rule was known releases, as it did then.
    let mut future = Some(Future::default());
    for rule in reader.tables(table, "guard") {
        let names: Vec<_> = Guard::ALL.iter().map(|guard| (guard.id(), *guard)).collect();
        let guard = known(reader, &rule, "id", &names).copied();
        let mut keys = vec!["id", "paths", "basis", "basis-da", "da", "en"];
        match guard {
            Some(Guard::Person) => {
                keys.push("check");
                let checks = [("prove", PersonCheck::Prove), ("trust-index", PersonCheck::TrustIndex)];
                person_check = known(reader, &rule, "check", &checks).copied();
            }
            Some(Guard::Future) => {
                keys.push("future");
                let values = [("release", Future::Release), ("withhold", Future::Withhold)];
                future = known(reader, &rule, "future", &values).copied();
            }
            Some(Guard::Silence) => {
                keys.push("status");
                empty_status = reader.one_of(&rule, "status", &[20, 44]);
            }
            _ => {}
        }
        reader.texts(&rule, "paths");
        if let (Some(words), Some(guard)) = (words(reader, &rule), guard) {
            unique(reader, &rule, &words.id, &mut ids);
            guards.push((guard, words));
        }
        reader.close(&rule, &keys);
    }
    reader.close(table, &["field", "guard"]);
    let needed = Guard::ALL.iter().filter(|guard| **guard != Guard::Future);
    for guard in needed.filter(|guard| !guards.iter().any(|(known, _)| known == *guard)) {
        missing(reader, table, "[[release.guard]]", guard.id());
    }
    for field in Field::ALL.iter().filter(|field| field.required() && fields.get(**field as usize).is_none_or(Option::is_none)) {
        missing(reader, table, "[[release.field]]", field.path());
    }
    Some(ReleaseRules {
        fields,
        guards,
        roles: roles?,
        person_check: person_check?,
        future: future?,
        empty_status: u16::try_from(empty_status?).ok()?,
    })
}

fn missing(reader: &mut Reader<'_>, table: &Section<'_>, kind: &str, name: &str) {
    let remedy = match kind {
        "[[changelog]]" => "Tell in it what this version changes, and which widenings are meant.",
        _ => "Add it with its basis; the code applies it in any case.",
    };
    reader.problem(table.line(), format!("There is no {kind} for {name}."), remedy.to_owned());
}

fn unique(reader: &mut Reader<'_>, rule: &Section<'_>, id: &str, ids: &mut Vec<String>) {
    if ids.iter().any(|known| known == id) {
        reader.problem(rule.line_of("id"), format!("The id \"{id}\" is given twice."), "Give each rule its own id.".to_owned());
    }
    ids.push(id.to_owned());
}

fn read_field(reader: &mut Reader<'_>, rule: &Section<'_>, fields: &mut [Option<FieldRule>], ids: &mut Vec<String>) {
    let words = words(reader, rule);
    let release = reader.boolean(rule, "release");
    let form = reader.text(rule, "form").and_then(|name| {
        let form = Form::parse(&name);
        if form.is_none() {
            reader.problem(
                rule.line_of("form"),
                format!("The form \"{name}\" is not known."),
                "Use the form that the path's kind of value has, such as uuid, date-time, amount, kle or digits-4.".to_owned(),
            );
        }
        form
    });
    let paths = reader.texts(rule, "paths");
    reader.close(rule, &["id", "paths", "form", "release", "basis", "basis-da", "da", "en"]);
    if let Some(words) = &words {
        unique(reader, rule, &words.id, ids);
    }
    for (path, line) in paths {
        let Some(field) = Field::parse(&path) else {
            let names: Vec<_> = Field::ALL.iter().map(|field| field.path()).collect();
            reader.unknown(line, &format!("The path \"{path}\""), &names);
            continue;
        };
        if let Some(form) = form.filter(|form| !form.narrows(field.form())) {
            let (form, widest) = (form.name(), field.form().name());
            reader.problem(
                line,
                format!("{path} cannot have the form {form}."),
                format!("Use {widest}, or a form that narrows it."),
            );
        }
        if release == Some(false) && field.required() {
            reader.problem(
                line,
                format!("{path} cannot be switched off: the index's schema requires it."),
                "Set release = true.".to_owned(),
            );
        }
        let (Some(words), Some(release), Some(form), Some(place)) = (&words, release, form, fields.get_mut(field as usize))
        else {
            continue;
        };
        if place.replace(FieldRule { words: words.clone(), release, form }).is_some() {
            reader.problem(line, format!("{path} is named by two rules."), "Leave it to one of them.".to_owned());
        }
    }
}

fn compile_request(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    roles: Option<Roles>,
    release: Option<&ReleaseRules>,
) -> Option<(RequestRules, Said)> {
    let mut said = Said::default();
    let mut ids = Vec::new();
    let (mut reading, mut naive, mut outside, mut direct_lookup, mut include, mut page_cap) =
        (None, None, None, None, None, None);
    let names: Vec<_> = REQUEST_RULES.iter().map(|name| (*name, *name)).collect();
    for rule in reader.tables(table, "rule") {
        match known(reader, &rule, "id", &names).copied() {
            Some("reading") => {
                let all = [
                    ("calendar-months", Reading::CalendarMonths),
                    ("rolling-start", Reading::RollingStart),
                    ("rolling", Reading::Rolling),
                ];
                reading = known(reader, &rule, "value", &all).copied();
            }
            Some("naive") => {
                naive = known(reader, &rule, "value", &[("copenhagen", Naive::Copenhagen), ("refuse", Naive::Refuse)]).copied()
            }
            Some("outside") => {
                outside = known(reader, &rule, "value", &[("refuse", Outside::Refuse), ("narrow", Outside::Narrow)]).copied()
            }
            Some("direct-lookup") => direct_lookup = reader.boolean(&rule, "value"),
            Some("include") => include = reader.boolean(&rule, "value"),
            Some(_) => page_cap = reader.number(&rule, "value", 1..=10_000),
            None => {}
        }
        if let Some(words) = words(reader, &rule) {
            unique(reader, &rule, &words.id, &mut ids);
            said.rules.push(words);
        }
        reader.close(&rule, &["id", "value", "basis", "basis-da", "da", "en"]);
    }
    for name in REQUEST_RULES.iter().filter(|name| !ids.iter().any(|id| id == *name)) {
        missing(reader, table, "[[request.rule]]", name);
    }
    let criteria = named(reader, table, "criterion", CRITERIA, release, &mut said.criteria, &mut ids);
    let sorting = named(reader, table, "sorting", SORTING, release, &mut said.sorting, &mut ids);
    reader.close(table, &["rule", "criterion", "sorting"]);
    let request = RequestRules {
        roles: roles?,
        reading: reading?,
        naive: naive?,
        outside: outside?,
        direct_lookup: direct_lookup?,
        include: include?,
        page_cap: page_cap?,
        criteria,
        sorting,
    };
    Some((request, said))
}

/// Criteria or sortings: each by a name that the code knows, and only over fields that are released.
fn named<T: Copy>(
    reader: &mut Reader<'_>,
    table: &Section<'_>,
    key: &str,
    all: &[(&str, (T, &[Field]))],
    release: Option<&ReleaseRules>,
    said: &mut Vec<Words>,
    ids: &mut Vec<String>,
) -> Vec<T> {
    let mut chosen = Vec::new();
    for rule in reader.tables(table, key) {
        if let Some((one, fields)) = known(reader, &rule, "element", all) {
            let withheld = |field: &&Field| release.is_some_and(|rules| !rules.field(**field).is_some_and(|rule| rule.release));
            if let Some(field) = fields.iter().find(withheld) {
                reader.problem(
                    rule.line_of("element"),
                    format!("This may not be a {key}: {} is not released, and hits would tell it.", field.path()),
                    format!("Remove this [[request.{key}]], or release the field."),
                );
            }
            chosen.push(*one);
        }
        if let Some(words) = words(reader, &rule) {
            unique(reader, &rule, &words.id, ids);
            said.push(words);
        }
        reader.close(&rule, &["id", "element", "basis", "basis-da", "da", "en"]);
    }
    chosen
}
