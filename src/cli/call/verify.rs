//! `hjemmel call finance --verify`: the verification test of a specialist system. A voucher for each code of a value list, debit and credit of
//! 0.01 alike, goes to the ledger in one delivery; the receipt tells the account that each code led to, or why it led to none.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::finance::usage;
use super::words::Said;
use super::{CallError, write_private};
use crate::cli::output::Stdout;
use crate::services::finance::receipt;
use crate::services::finance::rules::delivery::{CVR_URN, NAMESPACE};
use crate::services::finance::rules::sortiment::{self, Known, List, Lists, Part, Standing, csv, xml};
use crate::services::finance::shelf::Shelf;
use crate::services::refusals;
use crate::soap::document::{Document, Element};
use crate::soap::strict::Limits;
use crate::stub::finance::sample::{self, Parties, Posting, Sample, Voucher};

/// The most codes of one delivery: more is larger than a gateway takes as it is set up at first.
const MOST: usize = 10_000;
/// What each posting is of.
const AMOUNT: &str = "0.01";

/// What the verification test needs besides.
#[derive(Debug, clap::Args)]
pub(super) struct TestOptions {
    /// finance: the verification test: one delivery with a voucher for each code of a value list, 0.01 in debit and in credit, and for each
    /// code the account where it landed, or what to mend. It is booked, unless --proeve is given
    #[arg(long, conflicts_with = "sample")]
    pub(super) verify: bool,
    /// finance: the value list: a file (.xml, or .csv with the --list- options), or a folder of .xml; without it that of the demo
    #[arg(long, value_name = "FILE|DIR", requires = "verify")]
    sortiment: Option<PathBuf>,
    /// finance: which value list, where the folder has several; the id of one in a CSV file
    #[arg(long, value_name = "UUID", requires = "sortiment")]
    list: Option<Uuid>,
    /// finance, CSV: the value list's name
    #[arg(long, value_name = "TEXT", requires = "sortiment")]
    list_name: Option<String>,
    /// finance, CSV: its version
    #[arg(long, value_name = "TEXT", requires = "sortiment")]
    list_version: Option<String>,
    /// finance, CSV: the first day on which it holds
    #[arg(long, value_name = "DAY", requires = "sortiment")]
    list_from: Option<Date>,
    /// finance, CSV: a part list whose codes demand a party; may be repeated
    #[arg(long, value_name = "DELSORTIMENT", requires = "sortiment")]
    list_party: Vec<String>,
    /// finance: a code that stands beside each code of the other part lists, where the ledger finds an account by both together, such as
    /// Funktion=5.57.71; may be repeated
    #[arg(long, value_name = "DELSORTIMENT=KODE", requires = "verify", value_parser = pair)]
    with: Vec<(String, String)>,
    /// finance: the booking date, whose version of the value list is tested; today without it
    #[arg(long, value_name = "DAY", requires = "verify")]
    pub(super) day: Option<Date>,
    /// finance: send it as a test (Proeve), which is not booked; the authority's system responsible must have had a time for tests opened
    #[arg(long, requires = "verify")]
    proeve: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (part, code) = text.split_once('=').ok_or("write DELSORTIMENT=KODE")?;
    if part.is_empty() || code.is_empty() {
        Err("write DELSORTIMENT=KODE".to_owned())
    } else {
        Ok((part.to_owned(), code.to_owned()))
    }
}

/// A text in both languages.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Both {
    da: String,
    en: String,
}

/// What a receipt says of a line, or of the whole delivery.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    code: String,
    severity: String,
    /// Whose job it is (Maalgruppe).
    audience: String,
    /// The part list and the code that it is about, where it says so.
    element: Option<[String; 2]>,
    what: Both,
    remedy: Both,
}

/// A code, and where it landed.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    part: String,
    code: String,
    name: String,
    voucher: String,
    landed: bool,
    /// The account of the debit posting.
    debit: Option<String>,
    credit: Option<String>,
    told: Vec<Told>,
    #[serde(skip)]
    class: Option<Uuid>,
}

/// What is kept of a run.
#[derive(Serialize, Deserialize)]
pub(in crate::cli) struct Report {
    service: String,
    /// The delivery's id.
    pub(in crate::cli) delivery: Uuid,
    proeve: bool,
    day: Date,
    list: Uuid,
    list_name: String,
    version: String,
    receipt: String,
    /// How many codes were sent.
    pub(in crate::cli) codes: usize,
    /// How many of them landed on an account.
    pub(in crate::cli) landed: usize,
    /// What was told of the delivery and of no line.
    told: Vec<Told>,
    /// How many findings the platform left out.
    left_out: u64,
    lines: Vec<Line>,
    /// Whether a fault came back: the log may not have the delivery's id then.
    #[serde(skip)]
    refused_unread: bool,
}

/// A verification test that is ready to be sent.
pub(super) struct Test {
    report: Report,
    sample: Sample,
    file: Option<PathBuf>,
}

impl Test {
    /// The delivery, with an id of its own.
    ///
    /// # Errors
    /// [`CallError`]: the value list cannot be read, or none holds on the day.
    pub(super) fn plan(
        options: &TestOptions,
        file: Option<PathBuf>,
        service: String,
        parties: &Parties,
        now: Timestamp,
    ) -> Result<Self, CallError> {
        let lists = options.lists()?;
        let (list, known) = on(&lists, options.list, parties)?;
        let lines: Vec<Line> = known
            .codes(parties.day)
            .map(|(part, code, entry)| Line {
                part: part.to_owned(),
                code: code.to_owned(),
                name: entry.name.clone(),
                voucher: Uuid::new_v4().to_string(),
                landed: false,
                debit: None,
                credit: None,
                told: Vec::new(),
                class: entry.class,
            })
            .collect();
        match lines.len() {
            0 => {
                let day = parties.day;
                return Err(usage(
                    &format!("ingen kode i sortimentet gælder den {day}"),
                    &format!("no code of the value list holds on {day}"),
                ));
            }
            1..=MOST => {}
            more => {
                return Err(usage(
                    &format!("sortimentet har {more} koder, og {MOST} er det højeste; del det i flere filer"),
                    &format!("the value list has {more} codes, and {MOST} is the most; divide it into several files"),
                ));
            }
        }
        let (id, numbered) = (Uuid::new_v4(), lines.iter().zip(1..));
        let sample = Sample {
            id: id.to_string(),
            system: parties.system.to_string(),
            sender: parties.sender.to_string(),
            receiver: parties.receiver.to_string(),
            sent: format!("{now:.0}"),
            list: [list.id.to_string(), list.name.clone(), list.version.clone(), list.from.to_string()],
            control: [None, None, None, None],
            trial: options.proeve,
            no_trial: false,
            vouchers: numbered.map(|(line, number)| voucher(line, number, &options.with, &known, parties)).collect(),
        };
        let report = Report {
            service,
            delivery: id,
            proeve: options.proeve,
            day: parties.day,
            list: list.id,
            list_name: list.name.clone(),
            version: list.version.clone(),
            receipt: String::new(),
            codes: lines.len(),
            landed: 0,
            told: Vec::new(),
            left_out: 0,
            lines,
            refused_unread: false,
        };
        Ok(Self { report, sample, file })
    }

    /// The request, with `context` in front of the delivery.
    pub(super) fn request(&self, context: &str) -> String {
        self.sample.request(context)
    }

    /// What is sent, in a line: the id stands on the screen before anything can go wrong.
    pub(super) fn announcement(&self) -> String {
        self.report.announcement()
    }

    /// Reads the answer, and reports each line.
    ///
    /// # Errors
    /// [`CallError::NotLanded`], where a line did not land; a report that cannot be written.
    pub(super) fn conclude(mut self, answer: Bytes) -> Result<(), CallError> {
        let limits = Limits { nodes: 4_000_000, ..Limits::default() };
        let fault = Told::of_fault(&answer);
        match Document::parse(answer, &limits) {
            Ok(document) => self.report.read(document.root()),
            Err(_) => self.report.receipt = "no XML".to_owned(),
        }
        if let Some(fault) = fault {
            self.report.receipt.clone_from(&fault.code);
            self.report.told.push(fault);
            self.report.refused_unread = true;
        }
        self.report.write(&mut Stdout).map_err(CallError::Output)?;
        let Report { landed, codes, .. } = self.report;
        if let Some(path) = &self.file {
            let json = serde_json::to_vec_pretty(&self.report).map_err(|error| std::io::Error::other(error.to_string()));
            json.and_then(|json| write_private(path, &json)).map_err(|error| CallError::File { path: path.clone(), error })?;
        }
        if landed == codes { Ok(()) } else { Err(CallError::NotLanded { landed, codes }) }
    }
}

/// A voucher that takes back on the same codes what it puts there.
fn voucher(line: &Line, number: usize, with: &[(String, String)], known: &Known<'_>, parties: &Parties) -> Voucher {
    let beside = with.iter().filter(|(part, _)| *part != line.part);
    let own = [line.part.clone(), line.code.clone(), line.class.map_or_else(String::new, |class| class.to_string())];
    let codes: Vec<_> =
        std::iter::once(own).chain(beside.map(|(part, code)| [part.clone(), code.clone(), String::new()])).collect();
    // No person stands in a test: the party is the authority itself.
    let party = codes.iter().any(|[part, ..]| known.demands_party(part));
    let rest = if party { vec![("Part", format!("{CVR_URN}{}", parties.sender))] } else { Vec::new() };
    let posting = |number: &str, side| Posting {
        number: number.to_owned(),
        side,
        amount: AMOUNT.to_owned(),
        codes: codes.clone(),
        account: String::new(),
        rest: rest.clone(),
    };
    Voucher {
        id: line.voucher.clone(),
        number: format!("V-{number}"),
        date: parties.day.to_string(),
        before: Vec::new(),
        kind: "NOR",
        after: vec![("Bilagstekst", "Verifikationstest".to_owned())],
        postings: vec![posting("1", "D"), posting("2", "K")],
    }
}

impl TestOptions {
    fn lists(&self) -> Result<Lists, CallError> {
        let Some(path) = &self.sortiment else {
            return Lists::new([sample::list()]).map_err(|told| unusable(Path::new("demo"), &told));
        };
        if path.is_dir() {
            return Shelf::at(path).read().map_err(|told| unusable(path, &told));
        }
        let failed = |error| CallError::File { path: path.clone(), error };
        if std::fs::metadata(path).map_err(failed)?.len() > xml::LARGEST as u64 {
            return Err(unusable(path, &[format!("The file has more than {} bytes; divide the list.", xml::LARGEST)]));
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        let list = match path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            true => csv::read(&bytes, self.about()?),
            false => xml::read(&bytes),
        };
        // A supplement alone has nothing that it supplements: it is in a folder with the common list.
        list.and_then(|list| Lists::new([list])).map_err(|told| unusable(path, &told))
    }

    /// What a table does not say of itself.
    fn about(&self) -> Result<List, CallError> {
        let (Some(id), Some(name), Some(version), Some(from)) = (self.list, &self.list_name, &self.list_version, self.list_from)
        else {
            return Err(usage(
                "en tabel siger ikke, hvilket sortiment den er; angiv --list, --list-name, --list-version og --list-from",
                "a table does not say which value list it is; give --list, --list-name, --list-version and --list-from",
            ));
        };
        let parts = self.list_party.iter().map(|name| (name.clone(), Part { party: true, ..Part::default() })).collect();
        Ok(List { id, name: name.clone(), version: version.clone(), from, to: None, authority: None, parts })
    }
}

fn unusable(path: &Path, told: &[String]) -> CallError {
    let (path, told) = (path.display(), told.join("\n"));
    usage(&format!("sortimentet i {path} kan ikke bruges"), &format!("the value list in {path} cannot be used:\n{told}"))
}

/// The version that holds on the day: of several the one that began last.
fn on<'l>(lists: &'l Lists, asked: Option<Uuid>, parties: &Parties) -> Result<(&'l List, Known<'l>), CallError> {
    let common = lists.all().filter(|list| list.authority.is_none() && asked.is_none_or(|asked| asked == list.id));
    let known = common.filter_map(|list| match lists.standing(list.id, &list.version, parties.sender) {
        Standing::Known(known) if known.holds_on(parties.day) => Some((list, known)),
        _ => None,
    });
    let mut known: Vec<_> = known.collect();
    let day = parties.day;
    known.sort_by_key(|(list, _)| list.from);
    let last = known
        .pop()
        .ok_or_else(|| usage(&format!("intet sortiment gælder den {day}"), &format!("no value list holds on {day}")))?;
    let others: Vec<String> =
        known.iter().filter(|(list, _)| list.id != last.0.id).map(|(list, _)| sortiment::describe(list)).collect();
    if others.is_empty() {
        return Ok(last);
    }
    let all = format!("{}, {}", sortiment::describe(last.0), others.join(", "));
    Err(usage(
        &format!("flere sortimenter gælder den {day}; angiv et med --list: {all}"),
        &format!("several value lists hold on {day}; name one with --list: {all}"),
    ))
}

/// The text of a child, in Danish where it is in both languages.
fn text(parent: Element<'_>, local: &str) -> String {
    said(parent, local, false)
}

fn said(parent: Element<'_>, local: &str, english: bool) -> String {
    let mut children = parent.elements().filter(|child| child.local() == local);
    let child = children.find(|child| (child.attribute("", "sprog") == Some("en")) == english);
    child.and_then(|child| child.text()).unwrap_or_default().into_owned()
}

impl Told {
    /// A fault of the platform's, whose text has what to do in it.
    fn of_fault(answer: &Bytes) -> Option<Self> {
        let Said::Fault { code, texts } = Said::read(answer) else { return None };
        let row = refusals().into_iter().map(|refusal| refusal.entry()).find(|entry| entry.code == code);
        let audience = row.map_or("DRIFT", |entry| receipt::audience(entry.audience)).to_owned();
        let mut texts = texts.into_iter();
        let what = Both { da: texts.next().unwrap_or_default(), en: texts.next().unwrap_or_default() };
        Some(Self { code, severity: "FEJL".to_owned(), audience, element: None, what, remedy: Both::default() })
    }

    fn read(error: Element<'_>) -> Self {
        let both = |local| Both { da: said(error, local, false), en: said(error, local, true) };
        Self {
            code: text(error, "FejlKode"),
            severity: text(error, "Alvor"),
            audience: text(error, "Maalgruppe"),
            element: Some(["Delsortiment", "SortimentKode"].map(|name| text(error, name))).filter(|[_, code]| !code.is_empty()),
            what: both("Tekst"),
            remedy: both("Handling"),
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { code, severity, audience, what, remedy, .. } = self;
        writeln!(out, "        {severity} {code} to {audience}: {} {}", what.da, remedy.da)?;
        if what.en.is_empty() { Ok(()) } else { writeln!(out, "        {} {}", what.en, remedy.en) }
    }
}

impl Report {
    fn read(&mut self, answer: Element<'_>) {
        let mut at: BTreeMap<String, &mut Line> = self.lines.iter_mut().map(|line| (line.voucher.clone(), line)).collect();
        for element in answer.descendants().filter(|element| element.namespace() == NAMESPACE) {
            match element.local() {
                "BilagResultat" => {
                    if let Some(line) = at.get_mut(&text(element, "BilagID")) {
                        line.read(element);
                    }
                }
                "Platform" => {
                    self.left_out = text(element, "Udeladt").parse().unwrap_or_default();
                    for error in element.elements().filter(|child| child.local() == "Fejl") {
                        match at.get_mut(&text(error, "BilagID")) {
                            Some(line) => line.hear(Told::read(error)),
                            None => self.told.push(Told::read(error)),
                        }
                    }
                }
                _ => {}
            }
        }
        self.receipt = code(answer);
        self.landed = self.lines.iter().filter(|line| line.landed).count();
    }

    /// The report that a run has kept.
    ///
    /// # Errors
    /// A file that cannot be read, or is no such report.
    pub(in crate::cli) fn kept(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        serde_json::from_slice(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// What was sent, in a line.
    pub(in crate::cli) fn announcement(&self) -> String {
        let Self { delivery, codes, list, version, day, .. } = self;
        let booked = if self.proeve { "sent as a test (Proeve)" } else { "to be booked" };
        format!(
            "delivery {delivery}: {codes} codes of {list} {version}, {AMOUNT} each in debit and credit, dated {day}, {booked}"
        )
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { receipt, delivery, codes, landed, .. } = self;
        self.write_lines(|_| true, out)?;
        writeln!(out, "{landed} of {codes} codes landed (delivery {delivery}, {receipt})")?;
        let followed = match self.refused_unread {
            true => "CALL-ID".to_owned(),
            false => delivery.to_string(),
        };
        writeln!(out, "the platform's operator follows it with: hjemmel audit delivery {followed} AUDIT-DIR")
    }

    /// What did not land, and what to mend.
    pub(in crate::cli) fn write_missed(&self, out: &mut impl Write) -> io::Result<()> {
        self.write_lines(|line| !line.landed, out)
    }

    fn write_lines(&self, shown: impl Fn(&Line) -> bool, out: &mut impl Write) -> io::Result<()> {
        for (line, number) in self.lines.iter().zip(1..).filter(|(line, _)| shown(line)) {
            let account = match (&line.debit, &line.credit) {
                (Some(debit), Some(credit)) if debit == credit => format!("account {debit}"),
                (Some(debit), Some(credit)) => format!("account {debit} in debit, {credit} in credit"),
                _ => "no account".to_owned(),
            };
            let mark = if line.landed { "ok" } else { "MISSED" };
            let name = if line.name.is_empty() { String::new() } else { format!(" ({})", line.name) };
            writeln!(out, "{number:>5}  {mark:<6}  {} {}{name}: {account}", line.part, line.code)?;
            line.told.iter().try_for_each(|told| told.write(out))?;
        }
        if !self.told.is_empty() {
            writeln!(out, "of the whole delivery:")?;
            self.told.iter().try_for_each(|told| told.write(out))?;
        }
        if self.left_out > 0 {
            writeln!(out, "the platform found {} more, which it does not list; mend these first", self.left_out)?;
        }
        Ok(())
    }
}

/// The code of a receipt, the transport's where there is no other.
fn code(answer: Element<'_>) -> String {
    let of = |local: &str| answer.descendants().find(|element| element.local() == local).and_then(|element| element.text());
    let code = of("ForretningsValideringsKode").or_else(|| of("TransportValideringsKode"));
    code.unwrap_or_default().into_owned()
}

impl Line {
    /// Both postings have the same codes: what is told of the one is not told again of the other.
    fn hear(&mut self, told: Told) {
        if !self.told.iter().any(|before| (&before.code, &before.element) == (&told.code, &told.element)) {
            self.told.push(told);
        }
    }

    fn read(&mut self, result: Element<'_>) {
        for posting in result.elements().filter(|child| child.local() == "Postering") {
            let account = Some(text(posting, "Kontostreng")).filter(|account| !account.is_empty());
            match text(posting, "PosteringNummer").as_str() {
                "1" => self.debit = account,
                "2" => self.credit = account,
                _ => {}
            }
        }
        result.elements().filter(|child| child.local() == "Fejl").for_each(|error| self.hear(Told::read(error)));
        let accepted = text(result, "Resultat") == "ACCEPTERET";
        self.landed = accepted && self.debit.is_some() && self.credit.is_some();
        if accepted && !self.landed {
            self.told.push(Told {
                code: "KONTOSTRENG".to_owned(),
                severity: "FEJL".to_owned(),
                audience: "ADMINISTRATOR".to_owned(),
                element: None,
                what: Both {
                    da: "Bogføringssystemet accepterede bilaget og oplyste ingen konto.".to_owned(),
                    en: "The ledger accepted the voucher and told no account.".to_owned(),
                },
                remedy: Both {
                    da: "Få bogføringssystemets administrator til at vise, hvor det er bogført, og at oplyse Kontostreng i kvitteringen.".to_owned(),
                    en: "Have the ledger's administrator show where it was booked, and tell Kontostreng in the receipt.".to_owned(),
                },
            });
        }
    }
}
