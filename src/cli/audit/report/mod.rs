//! `hjemmel audit report`: who looked, when, on what basis, by which rules; what was asked, released and removed, and why.

mod account;
mod names;
mod row;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use uuid::Uuid;
use zeroize::Zeroizing;

use self::account::Account;
use self::names::Names;
pub use self::names::NamesError;
use self::row::{Named, Telling};
use self::write::{Foot, Format, Head, Report};
use super::AuditError;
use super::given::{self, wait};
use super::period::Period;
use crate::agreements::Store;
use crate::agreements::Thumbprint;
use crate::audit::anchors::{self, Anchored};
use crate::audit::chain::Event;
use crate::audit::log::read_head;
use crate::audit::question::{Question, Seen, Signed};
use crate::audit::reading::{Readings, by_log};
use crate::audit::{Record, keys};
use crate::cli::lang::Lang;
use crate::cli::person::{Person, PersonError};
use crate::clock::{Clock, copenhagen};
use crate::config::ServiceSection;
use crate::decisions::DecideError;
use crate::decisions::statement::Signer;
use crate::id::cvr::Cvr;
use crate::refusal::api::ApiRefusal;
use crate::services::Service;
use crate::signature::{base64, credentials::inspect};
use crate::store::{Access, Settings};
use crate::users::Whose;
use crate::users::rights::Action;

/// How often progress is reported.
const TOLD_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("asked").required(true).multiple(true).args(["person", "running_number", "call", "authority", "certificate", "from", "to", "year"]))]
#[command(after_help = "Examples:
  hjemmel audit report node1/audit node2/audit --call ID --questions questions --questions-key questions.key \\
    --signed-certificate jensen.pem --signed-key jensen.key.pem --reason \"aktindsigt 2026-114\"
  echo 6101801234 | hjemmel audit report node1/audit node2/audit --person --pseudonym-key pseudonym.key --auditors-pub auditors.pub \\
    --from \"november 2026\" --questions questions --questions-key questions.key \\
    --signed-certificate jensen.pem --signed-key jensen.key.pem --reason \"klage 7\"
  hjemmel audit report node1/audit node2/audit --authority 11111111 --year 2026 --format csv --questions questions \\
    --questions-key questions.key --signed-certificate jensen.pem --signed-key jensen.key.pem --reason \"årlig redegørelse\"")]
pub struct Args {
    /// The folders of the nodes' logs, copies of them, or an archive's; a log that is given several times counts once
    #[arg(required_unless_present = "archive", value_name = "DIR")]
    logs: Vec<PathBuf>,
    /// The archive of all nodes' logs that [audit.archive] of the configuration names
    #[arg(long, requires = "config")]
    archive: bool,
    /// Calls about a person, whose CPR number is read from standard input: on a command line every user could see it
    #[arg(long, requires = "pseudonym_key", requires = "auditors_pub")]
    person: bool,
    /// Imports that answered about the person with this running number, which is read from standard input: they keep no CPR number
    /// (`hjemmel persons show` tells a person's running number)
    #[arg(long, conflicts_with = "person", requires = "pseudonym_key", requires = "auditors_pub")]
    running_number: bool,
    /// The call with this id, as a fault quotes it
    #[arg(long, value_name = "ID")]
    call: Option<Uuid>,
    /// Calls on behalf of this authority; whoever asks for an authority is answered of its own calls, also where this is left out
    #[arg(long, value_name = "CVR")]
    authority: Option<Cvr>,
    /// Calls of every authority, for whoever audits the whole gateway from copies of its logs. Without it they are those of the
    /// authority whose CVR number stands in the certificate of whoever asks, with --config those of the user's authority
    #[arg(long, conflicts_with = "config")]
    all_authorities: bool,
    /// Calls by this certificate: all that it did
    #[arg(long, value_name = "SHA256")]
    certificate: Option<Thumbprint>,
    /// Calls from this day, month or year on: 2026-11-03, 3.11.2026, 3/11-2026, "3. november 2026", 2026-11, "november 2026", 2026
    #[arg(long, value_name = "DATE")]
    from: Option<Period>,
    /// Calls until and with this day, month or year; an instant is not included
    #[arg(long, value_name = "DATE")]
    to: Option<Period>,
    /// Calls of one year, counted: by service, operation, legal basis, purpose and outcome
    #[arg(long, value_name = "YEAR", conflicts_with_all = ["from", "to"])]
    year: Option<Period>,
    /// Count the calls instead of telling each
    #[arg(long)]
    count: bool,
    /// pseudonym.key; again for each that a node has had
    #[arg(long, value_name = "KEY")]
    pseudonym_key: Vec<PathBuf>,
    /// auditors.pub, to which the person is sealed in the auditors' own log
    #[arg(long, value_name = "PUB")]
    auditors_pub: Option<PathBuf>,
    /// The folder of the auditors' own log, which is begun where there is none: every question stands in it before it is answered
    #[arg(long, value_name = "DIR")]
    questions: PathBuf,
    /// The key that signs the auditors' own log: a checkpoint.key, not that of a gateway
    #[arg(long, value_name = "KEY")]
    questions_key: PathBuf,
    /// The certificate (PEM) of whoever asks, with an RSA key; with --config, of an auditor among the store's users
    #[arg(long, value_name = "FILE", required_unless_present = "by")]
    signed_certificate: Option<PathBuf>,
    /// Its key (PEM), which signs the question
    #[arg(long, value_name = "FILE", required_unless_present = "by")]
    signed_key: Option<PathBuf>,
    /// Gone: a name proves nobody
    #[arg(long, value_name = "NAME", hide = true)]
    by: Option<String>,
    /// Why, for the auditors' log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The gateway's configuration, for the names of authorities (from its store) and the words of the rules (from its policies)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A folder of policies, for the words of the rules
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Which words to print
    #[arg(long, value_enum, default_value = "da")]
    lang: Lang,
}

impl Args {
    /// Whether it is asked about a person, whose number is read from standard input.
    fn about_a_person(&self) -> bool {
        self.person || self.running_number
    }
}

/// Whoever asks: proven by a key, and known to the store where there is one.
struct Asker {
    signer: Signer,
    name: String,
    user: Option<Uuid>,
    sees: Sees,
}

/// Whose calls whoever asks is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sees {
    /// Everybody's, whether or not it was proven for whom they were made.
    Everybody,
    /// Those that an agreement shows to be this authority's, as in the console: what a call claims before that is nobody's.
    Own {
        authority: Cvr,
        /// By these services alone, by their names; none: by all.
        services: Option<BTreeSet<String>>,
    },
}

impl Sees {
    /// What somebody is told whom no store knows: the certificate says for whom they ask, unless they say that they ask of all.
    fn without_a_store(all: bool, cvr: Option<Cvr>) -> Result<Self, AuditError> {
        match (all, cvr) {
            (true, _) => Ok(Self::Everybody),
            (false, Some(authority)) => Ok(Self::Own { authority, services: None }),
            (false, None) => Err(AuditError::WhoseCalls),
        }
    }

    fn takes(&self, record: &Record) -> bool {
        match self {
            Self::Everybody => true,
            Self::Own { authority, services } => {
                record.authority == Some(*authority)
                    && record.front_agreement.is_some()
                    && services.as_ref().is_none_or(|names| names.contains(&record.service))
            }
        }
    }

    /// What the reader must know of it: that there may be more than is told.
    fn describe(&self, lang: Lang) -> Option<String> {
        let Self::Own { services: Some(names), .. } = self else { return None };
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
        Some(lang.word(
            &format!("Fortalt er kald til de services, som den, der spørger, må se ({names}); filer, der er overdraget, er ikke med."),
            &format!("Told are calls to the services that whoever asks may see ({names}); files that were handed over are not among them."),
        ))
    }

    /// The authority of a question that names this one, or none.
    fn authority(&self, named: Option<Cvr>) -> Result<Option<Cvr>, AuditError> {
        match self {
            Self::Everybody => Ok(named),
            Self::Own { authority, .. } if named.is_none_or(|named| named == *authority) => Ok(Some(*authority)),
            Self::Own { authority, .. } => Err(AuditError::AnothersCalls(*authority)),
        }
    }
}

impl Asker {
    /// By what the certificate says, and the store where there is one.
    fn of(args: &Args, known: Option<(&Settings, &BTreeMap<String, Service>)>, now: jiff::Timestamp) -> Result<Self, AuditError> {
        if args.by.is_some() {
            return Err(AuditError::ByIsGone);
        }
        let signer = Person::of(&args.signed_certificate, &args.signed_key).signer()?;
        if let Some((settings, services)) = known {
            return wait(Self::known(signer, settings, services, now));
        }
        let facts = inspect(&CertificateDer::from(signer.certificate().der())).map_err(|_| AuditError::NoName)?;
        let name = facts.common_name.ok_or(AuditError::NoName)?;
        let sees = Sees::without_a_store(args.all_authorities, facts.cvr.and_then(|cvr| cvr.parse().ok()))?;
        Ok(Self { signer, name, user: None, sees })
    }

    /// The store's user, who may ask.
    async fn known(
        signer: Signer,
        settings: &Settings,
        services: &BTreeMap<String, Service>,
        now: jiff::Timestamp,
    ) -> Result<Self, AuditError> {
        let store = Store::open_to(Access::Look, settings).await?;
        let actor = store.actor(signer.thumbprint(), None, now).await;
        store.close().await;
        let actor = actor.map_err(DecideError::from)?;
        actor.may(Action::AskAudit).map_err(DecideError::from)?;
        let scope = actor.scope();
        let sees = match scope.whose {
            Whose::Everybody if scope.is_everything() => Sees::Everybody,
            Whose::Authority(authority) => {
                let own = services.iter().filter(|(_, service)| scope.services.contains(&service.offer().service_uuid));
                let services = (!scope.services.is_empty()).then(|| own.map(|(name, _)| name.clone()).collect());
                Sees::Own { authority, services }
            }
            Whose::Everybody | Whose::Supplier(_) | Whose::Nobody => {
                let refusal = ApiRefusal::ApiNotAllowed { action: Action::AskAudit.describe() };
                return Err(DecideError::from(refusal).into());
            }
        };
        Ok(Self { name: actor.user().name.clone(), user: Some(actor.user().id), signer, sees })
    }

    fn signs(&self, question: Question) -> Result<Question, AuditError> {
        let text = question.text().map_err(io::Error::from)?;
        let signature = self.signer.sign_text(&text, question.asked_at).map_err(PersonError::from)?;
        let certificate = base64::encode(self.signer.certificate().der());
        Ok(Question { signed: Some(Signed { certificate, signature }), ..question })
    }
}

/// What calls are sought.
struct Sought {
    sees: Sees,
    pseudonyms: Vec<String>,
    call: Option<Uuid>,
    authority: Option<Cvr>,
    certificate: Option<Thumbprint>,
    from: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
}

impl Sought {
    /// Whether a call is of the time that is asked about, and of those that whoever asks is told of.
    fn at(&self, record: &Record) -> bool {
        self.sees.takes(record)
            && self.from.is_none_or(|from| from <= record.opened_at)
            && self.to.is_none_or(|to| record.opened_at < to)
    }

    fn is(&self, record: &Record) -> bool {
        self.at(record)
            && self.call.is_none_or(|call| record.call == call)
            && self.authority.is_none_or(|cvr| record.authority == Some(cvr))
            && self.certificate.is_none_or(|certificate| record.certificate == Some(certificate))
            && (self.pseudonyms.is_empty() || self.pseudonyms.iter().any(|pseudonym| record.names(pseudonym)))
    }
}

/// Answers the question, once it is on record.
///
/// # Errors
/// [`AuditError`]; [`AuditError::Doubtful`] after an answer that may lack something.
pub fn run(
    args: Args,
    clock: &Clock,
    input: &mut impl BufRead,
    out: &mut impl Write,
    aside: &mut impl Write,
) -> Result<(), AuditError> {
    let now = clock.now();
    let zone = copenhagen().ok_or_else(|| io::Error::other("Europe/Copenhagen is not in the time zone database"))?;
    let mut names = Names::default();
    if let Some(folder) = &args.policies {
        names.read_folder(folder).map_err(AuditError::Names)?;
    }
    let mut settings = None;
    let asker = match &args.config {
        Some(file) => {
            let loaded = crate::config::load::<Service>(file, now).map_err(AuditError::Config)?;
            names.read_services(loaded.config.services.values()).map_err(AuditError::Names)?;
            let found = crate::config::store_of::<Service>(file, now).map_err(AuditError::Config)?;
            let asker = Asker::of(&args, Some((&found, &loaded.config.services)), now)?;
            wait(names.read_store(&found)).map_err(AuditError::Names)?;
            settings = Some(found);
            asker
        }
        None => Asker::of(&args, None, now)?,
    };
    let archive = match &args.config {
        Some(config) if args.archive => Some(given::archive(config, now)?),
        _ => None,
    };
    let places = by_log(given::places(&args.logs, archive.as_ref())?)?;
    let seen = places.iter().map(|places| Seen::of(places)).collect::<Result<_, _>>()?;
    let (question, sought) = question(&args, &asker, now, seen, input)?;
    let telling = Telling { names: &names, lang: args.lang, zone };
    // Opened first, so that a question about folders that are none is not one.
    let mut readings = Readings::open(places)?;
    let head = head(&args, &question, &sought, &telling, readings.names());
    question.record(&args.questions, keys::checkpoint_key(&args.questions_key)?)?;
    let anchored = match &settings {
        Some(settings) => wait(anchor(&args.questions, settings, now)),
        None => Ok(()),
    };
    if let Err(error) = anchored {
        let words = args.lang.word(
            "ADVARSEL: spørgsmålet står i revisorernes log, men kunne ikke forankres i databasen",
            "WARNING: the question is on record, but could not be anchored in the store",
        );
        writeln!(aside, "{words}: {error}")?;
    }

    let counted = args.count || args.year.is_some();
    let mut report = Report::begin(out, args.format, args.lang, &head, counted)?;
    let mut answer =
        Answer { report: &mut report, telling: &telling, logs: &head.logs, account: counted.then(Account::default), found: 0 };
    let (mut open, mut crowded, mut told) = (HashMap::<Uuid, (usize, Box<Record>)>::new(), 0_u64, Instant::now());
    while let Some((log, entry)) = readings.next_entry()? {
        match entry.event {
            Event::Admitted(record) if sought.is(&record) => drop(open.insert(record.call, (log, record))),
            Event::Closed(record) => {
                open.remove(&record.call);
                crowded += u64::from(record.persons_left_out > 0 && sought.at(&record));
                if sought.is(&record) {
                    answer.take(log, &record)?;
                }
            }
            _ => {}
        }
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            let ((read, all), found) = (readings.progress(), answer.found);
            let mib = |bytes: u64| bytes >> 20;
            writeln!(aside, "{} / {} MiB, {found} …", mib(read), mib(all))?;
        }
    }
    let mut unfinished: Vec<_> = open.into_values().collect();
    unfinished.sort_by_key(|(_, record)| record.call);
    unfinished.iter().try_for_each(|(log, record)| answer.take(*log, record))?;
    let (account, found) = (answer.account.take(), answer.found);
    if let Some(account) = &account {
        report.account(account, |cvr| {
            cvr.parse().map_or_else(|_| Named { id: cvr.to_owned(), name: None }, |cvr| telling.authority(cvr))
        })?;
    }
    let foot = foot(&readings, found, if args.about_a_person() { crowded } else { 0 }, &sought, &telling);
    report.end(&foot, aside)?;
    if foot.whole { Ok(()) } else { Err(AuditError::Doubtful) }
}

/// What is found goes out at once, or is counted.
struct Answer<'a, 'o, W> {
    report: &'a mut Report<'o, W>,
    telling: &'a Telling<'a>,
    logs: &'a [String],
    account: Option<Account>,
    found: u64,
}

impl<W: Write> Answer<'_, '_, W> {
    fn take(&mut self, log: usize, record: &Record) -> io::Result<()> {
        self.found += 1;
        match &mut self.account {
            Some(account) => account.count(record),
            None => {
                let log = self.logs.get(log).map_or("", String::as_str);
                self.report.call(&self.telling.row(log, record))?;
            }
        }
        Ok(())
    }
}

/// Records in the store how far the auditors' own log has come with this question.
async fn anchor(questions: &Path, settings: &Settings, now: jiff::Timestamp) -> Result<(), AuditError> {
    let Some(checkpoint) = read_head(questions)? else { return Ok(()) };
    let anchored = Anchored { log: anchors::named(questions)?, checkpoint, questions: true };
    let store = Store::open_to(Access::Change, settings).await?;
    let kept = anchors::keep_question(store.database(), &anchored, now).await;
    store.close().await;
    Ok(kept?)
}

/// The question as it goes on record, and what it seeks.
fn question(
    args: &Args,
    asker: &Asker,
    now: jiff::Timestamp,
    logs: Vec<Seen>,
    input: &mut impl BufRead,
) -> Result<(Question, Sought), AuditError> {
    let (mut pseudonyms, mut person, id) = (Vec::new(), None, Uuid::now_v7());
    if args.about_a_person() {
        let mut line = Zeroizing::new(String::new());
        io::Read::take(input, 4096).read_line(&mut line)?;
        let number = Zeroizing::new(line.trim().replacen('-', "", 1));
        if args.running_number && (number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(AuditError::NoRunningNumber);
        }
        for key in &args.pseudonym_key {
            let key = keys::pseudonym_key(key)?;
            pseudonyms.push(if args.running_number { key.running(&number) } else { key.pseudonym(&number)? });
        }
        if let (Some(key), Some(auditors)) = (args.pseudonym_key.first(), &args.auditors_pub) {
            let sealer = keys::sealer(key, auditors)?;
            person = Some(if args.running_number { sealer.seal_running(id, &number) } else { sealer.seal(id, &number) }?);
        }
    }
    let from = args.from.or(args.year).map(|period| period.from);
    let to = args.to.or(args.year).map(|period| period.to);
    if from.zip(to).is_some_and(|(from, to)| to <= from) {
        return Err(AuditError::NoTime);
    }
    let (call, authority, certificate) = (args.call, asker.sees.authority(args.authority)?, args.certificate);
    let sought = Sought { sees: asker.sees.clone(), pseudonyms, call, authority, certificate, from, to };
    let (by, reason) = (asker.name.trim().to_owned(), args.reason.trim().to_owned());
    let question = Question {
        question: id,
        asked_at: now,
        by,
        user: asker.user,
        reason,
        person,
        call,
        authority,
        certificate,
        from,
        to,
        logs,
        signed: None,
    };
    Ok((asker.signs(question)?, sought))
}

fn head(args: &Args, question: &Question, sought: &Sought, telling: &Telling<'_>, logs: Vec<String>) -> Head {
    let lang = args.lang;
    let mut about = Vec::new();
    if args.about_a_person() {
        about.push(lang.word("en person (forseglet i revisorernes log)", "a person (sealed in the auditors' log)"));
    }
    about.extend(sought.call.map(|call| format!("{} {call}", lang.word("kald", "call"))));
    about.extend(sought.authority.map(|cvr| format!("{} {}", lang.word("myndighed", "authority"), telling.authority(cvr))));
    about.extend(sought.certificate.map(|of| format!("{} {of}", lang.word("certifikat", "certificate"))));
    about.extend(sought.from.map(|at| format!("{} {}", lang.word("fra og med", "from"), telling.when(at))));
    about.extend(sought.to.map(|at| format!("{} {}", lang.word("til, ikke med,", "until, not included,"), telling.when(at))));
    Head {
        question: question.question,
        asked_at: telling.when(question.asked_at),
        by: question.by.clone(),
        reason: question.reason.clone(),
        about,
        logs,
    }
}

/// What the reader must know of the answer.
fn foot(readings: &Readings, calls: u64, crowded: u64, sought: &Sought, telling: &Telling<'_>) -> Foot {
    let (lang, mut whole) = (telling.lang, true);
    let mut notes: Vec<String> = sought.sees.describe(lang).into_iter().collect();
    for (dir, doubts) in readings.doubts().filter(|(_, doubts)| doubts.any()) {
        whole = false;
        let mut say =
            |da: String, en: String| notes.push(lang.word(&format!("ADVARSEL: {dir}: {da}"), &format!("WARNING: {dir}: {en}")));
        let (unreadable, broken) = (doubts.unreadable, doubts.broken);
        if unreadable > 0 {
            say(format!("{unreadable} linjer kan ikke læses"), format!("{unreadable} lines cannot be read"));
        }
        if broken > 0 {
            say(format!("kæden er brudt {broken} steder"), format!("the chain is broken in {broken} places"));
        }
        if let Some(segment) = doubts.missing {
            say(format!("segment {segment} mangler"), format!("segment {segment} is missing"));
        }
        if doubts.cut_off {
            let da = "loggen er kortere, end head.json siger, eller head.json mangler".to_owned();
            say(da, "the log is shorter than head.json says, or head.json is missing".to_owned());
        }
    }
    for (dir, retired) in readings.retired() {
        if sought.from.is_none_or(|from| from <= retired.last_at) {
            let at = telling.when(retired.last_at);
            notes.push(lang.word(
                &format!("{dir}: Kald til og med {at} er slettet efter opbevaringsfristen og findes ikke mere."),
                &format!("{dir}: Calls until {at} were retired when their time was over, and are not found any more."),
            ));
        }
    }
    if crowded > 0 {
        notes.push(lang.word(
            &format!("ADVARSEL: {crowded} kald nævnte flere personer, end en post forsegler; hvert af dem kan også angå denne."),
            &format!("WARNING: {crowded} calls named more persons than a record seals; any of them may be about this one."),
        ));
    }
    Foot { calls, notes, whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(authority: Option<&str>, agreement: Option<Uuid>, service: &str) -> Record {
        let authority = authority.map(|cvr| cvr.parse().unwrap());
        Record { authority, front_agreement: agreement, ..Record::new(Uuid::now_v7(), jiff::Timestamp::UNIX_EPOCH, service) }
    }

    #[test]
    fn an_authority_is_told_of_the_calls_that_an_agreement_bears_out_to_be_its_own_and_of_no_others() {
        let (own, agreement) = ("11111111", Some(Uuid::from_u128(1)));
        let sees = Sees::without_a_store(false, Some(own.parse().unwrap())).unwrap();
        assert!(sees.takes(&record(Some(own), agreement, "terminaladgang")));
        for (anothers, why) in [
            (record(Some("99999981"), agreement, "terminaladgang"), "another's"),
            (record(Some(own), None, "terminaladgang"), "claimed, and borne out by no agreement"),
            (record(None, None, "terminaladgang"), "refused before it was known whose it is"),
        ] {
            assert!(!sees.takes(&anothers), "{why}");
            assert!(Sees::Everybody.takes(&anothers), "{why}");
        }
        let some = Sees::Own { authority: own.parse().unwrap(), services: Some(["finans".to_owned()].into()) };
        assert!(some.takes(&record(Some(own), agreement, "finans")));
        assert!(!some.takes(&record(Some(own), agreement, "terminaladgang")), "of a user of some services theirs alone");
        let none = Sees::Own { authority: own.parse().unwrap(), services: Some(BTreeSet::new()) };
        assert!(!none.takes(&record(Some(own), agreement, "finans")), "a service that is offered no more");
    }

    #[test]
    fn an_auditor_of_some_services_is_told_that_there_may_be_more() {
        let own = |services: Option<BTreeSet<String>>| Sees::Own { authority: "11111111".parse().unwrap(), services };
        let told = own(Some(["finans".to_owned(), "persons".to_owned()].into())).describe(Lang::Both).unwrap();
        assert!(told.contains("(finans, persons); filer") && told.contains("(finans, persons); files"), "{told}");
        assert!(own(Some(BTreeSet::new())).describe(Lang::En).unwrap().contains("(–)"));
        assert_eq!((own(None).describe(Lang::En), Sees::Everybody.describe(Lang::Da)), (None, None));
    }

    #[test]
    fn a_question_of_an_authority_names_that_authority_and_can_name_no_other() {
        let own: Cvr = "11111111".parse().unwrap();
        let sees = Sees::without_a_store(false, Some(own)).unwrap();
        assert_eq!(sees.authority(None).unwrap(), Some(own));
        assert_eq!(sees.authority(Some(own)).unwrap(), Some(own));
        let other: Cvr = "99999981".parse().unwrap();
        assert!(matches!(sees.authority(Some(other)), Err(AuditError::AnothersCalls(of)) if of == own));
        assert_eq!(Sees::Everybody.authority(Some(other)).unwrap(), Some(other));
        assert_eq!(Sees::Everybody.authority(None).unwrap(), None);
    }

    #[test]
    fn a_certificate_that_names_no_authority_is_answered_only_where_it_asks_of_all() {
        assert!(matches!(Sees::without_a_store(false, None), Err(AuditError::WhoseCalls)));
        assert_eq!(Sees::without_a_store(true, None).unwrap(), Sees::Everybody);
        assert_eq!(Sees::without_a_store(true, "11111111".parse().ok()).unwrap(), Sees::Everybody);
    }
}
