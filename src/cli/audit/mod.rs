//! `hjemmel audit`: make the audit's keys, prove a log whole, ask who saw whom.

pub(super) mod delivery;
mod given;
mod period;
mod proof;
mod report;
mod retire;

use std::{
    io::{self, BufRead, Write},
    path::PathBuf,
};

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use uuid::Uuid;
use zeroize::Zeroizing;

use self::given::wait;
use super::person::PersonError;
use crate::clock::Clock;
use crate::decisions::statement::is_signed_by;
use crate::decisions::{DecideError, outbox};
use crate::objects::settings::OpenError;
use crate::services::Service;
use crate::signature::credentials::inspect;
use crate::store::Access;

use crate::agreements::Store;
use crate::archive::ArchiveError;
use crate::archive::retire::LeaveError;
use crate::audit::{
    Decided, Record, decided,
    keys::{self, KeyError},
    question::{self, Proof, Question, QuestionError},
    retire::{RetireError, Retirement},
    seal::SealError,
    search::{Found, search},
    verify::{Anchor, Failure},
};

/// The audit log: make its keys, prove it whole, ask it who saw whom and why.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hjemmel audit verify /var/lib/hjemmel/audit --key checkpoint.pub
  echo 6101801234 | hjemmel audit search /var/lib/hjemmel/audit --pseudonym-key pseudonym.key --cpr-stdin
  hjemmel audit delivery 0b7e2a1c-94d3-4c1e-8f07-5a6b7c8d9e11 /var/lib/hjemmel/audit
  hjemmel audit retire --config /etc/hjemmel/hjemmel.toml --before 2021-12-01 --reason \"time is over\" \\
    --signed-certificate drift.pem --signed-key drift.key.pem")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make the audit's keys, the secret ones readable by their owner only; nothing is overwritten
    ///
    /// checkpoint.key signs the log and stays with the gateway; checkpoint.pub verifies it, for anyone. auditors.key opens
    /// sealed identifiers: move it to the auditors, away from the gateway, which needs only auditors.pub and does not start
    /// beside the other. pseudonym.key is what persons are searched with, and as secret as the log.
    Keys {
        /// The directory, made where it is not
        dir: PathBuf,
    },
    /// Prove that nothing in a log was altered, removed, reordered, put in or cut off
    ///
    /// Says exactly where it is not so. A log may be verified while it is being written. Of several, those of all nodes, each is held
    /// against what the others say of it; with --config also against the store: an end that was cut off, or a log that is gone with its
    /// folder, is told.
    #[command(
        after_help = "The gateway logs `audit checkpoint sequence=N hash=H` as it goes. Kept away from the gateway's disk, N:H is an anchor: it shows a log that was rolled back together with its head.json."
    )]
    Verify {
        /// The directories of the logs, or of an archive with those of all nodes
        #[arg(required_unless_present = "archive", value_name = "DIR")]
        dirs: Vec<PathBuf>,
        /// The archive of all nodes' logs that [audit.archive] of the configuration names
        #[arg(long, requires = "config")]
        archive: bool,
        /// checkpoint.pub; again for each key that signed a part of the log
        #[arg(long, value_name = "PUB", required = true)]
        key: Vec<PathBuf>,
        /// An entry's number and hash, kept elsewhere; may be given again
        #[arg(long, value_name = "NUMBER:HASH")]
        anchor: Vec<Anchor>,
        /// The gateway's configuration, whose store tells how far each log had come
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Remove segments whose time is over, and leave a signed statement of it
    ///
    /// The log is proven whole first. Removed are whole segments, from the first on, each ended and signed and wholly older than
    /// the date; the last one always stays, and nothing that [audit] retention_days keeps is touched. The gateway may run
    /// meanwhile. `verify` tells afterwards that the log is whole from there on, and what the statement says. The decision is an
    /// operator's, signed: it stands in the store and in the audit log, and the statement names the user.
    ///
    /// Where [audit.archive] is set, nothing leaves this disk that the archive does not give back, and [audit.archive] local_days says
    /// how long it stays here. With --archive the segments leave the archive, those of every node.
    Retire(retire::Args),
    /// List the decisions on agreements, routes and users that stand in a log
    ///
    /// Each with the user who decided, by id, and the certificate that proved it; names and reasons stand in the store alone. With
    /// --config they are held against the store: what one has and the other has not, or otherwise, is told, and exits 1. Prove
    /// the log whole with `verify` first.
    Decisions {
        /// The log's directory
        dir: PathBuf,
        /// The gateway's configuration, whose store the decisions are held against
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Find every call about a person, or of a delivery
    ///
    /// Refused calls too, from the step on that knows who calls. The CPR number or the delivery's id is read from standard
    /// input, never from the command line, where every user of the machine could see it and the shell would remember it.
    Search {
        /// The log's directory
        dir: PathBuf,
        /// pseudonym.key
        #[arg(long, value_name = "KEY")]
        pseudonym_key: PathBuf,
        /// Read the CPR number (ten digits, with or without hyphen) from standard input
        #[arg(long, required_unless_present = "delivery_stdin", conflicts_with = "delivery_stdin")]
        cpr_stdin: bool,
        /// Read the id of a delivery, exactly as its sender wrote it, from standard input
        #[arg(long)]
        delivery_stdin: bool,
        /// Only calls from this instant on, such as 2026-11-01T00:00:00+01:00
        #[arg(long, value_name = "INSTANT")]
        from: Option<Timestamp>,
        /// Only calls before this instant
        #[arg(long, value_name = "INSTANT")]
        to: Option<Timestamp>,
    },
    /// Answer an auditor's question over the logs of one or several nodes
    ///
    /// Who looked, when, on what basis and agreement, by which version of the rules; what was asked, what was released, and what was
    /// removed and why. Every question is put on record in the auditors' own log first, signed by whoever asks, with why. With --config
    /// that is a user of the store with the role auditor. Exits 1 where a log is not as it should be: the answer may then lack
    /// something.
    Report(Box<report::Args>),
    /// Follow a delivery step by step: what became of it in the gateway, and what to mend where it went no further
    ///
    /// Of a delivery that was sent several times each call is shown. One that was refused before its content was read stands in the
    /// log without its id: follow it by the call id of the fault. No person is told. Exits 1 where a call did not end with an
    /// answer, or its receipt is not ACCEPTERET.
    Delivery {
        /// The LeveranceID, or the id of a call
        #[arg(value_name = "ID")]
        id: Uuid,
        /// The directories of the logs, of all nodes
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
    },
    /// List the questions that stand in the auditors' own log, and verify who asked each
    ///
    /// The certificate of whoever asked stands beside the signature, so this needs no store: it tells the certificate's subject, issuer
    /// and thumbprint, and that its key signed this very question. Whether the certificate is one to trust is told by its issuer. Exits
    /// 1 where a signature is not that certificate's.
    Questions {
        /// The auditors' log
        dir: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Open the sealed person of one call (everybody a refused call named), or of a question, with the auditors' private key
    Open {
        /// The log's directory
        dir: PathBuf,
        /// auditors.key
        #[arg(long, value_name = "KEY")]
        key: PathBuf,
        /// The id of the call, as a fault or a report tells it, or of the question
        #[arg(long, value_name = "ID")]
        call: Uuid,
    },
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum AuditError {
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The log is not whole.
    #[error("THE LOG IS NOT WHOLE: {0}")]
    NotWhole(#[from] Box<Failure>),
    /// Of several logs.
    #[error("THE LOGS ARE NOT WHOLE:\n{}", .0.join("\n"))]
    NotAllWhole(Vec<String>),
    /// An anchor beside several logs.
    #[error("--anchor is of one log; name that log alone")]
    WhoseAnchor,
    /// The configuration.
    #[error("{0}")]
    Config(crate::config::Report),
    /// How long records are kept was never decided.
    #[error("[audit] retention_days is 0, so nothing is ever removed; set how long records are kept first")]
    NoRetention,
    /// A day that is none.
    #[error("{0}")]
    Time(#[from] jiff::Error),
    /// A name in place of a key.
    #[error(
        "--by is gone, as a name proves nobody: sign with --signed-certificate FILE --signed-key FILE, those of the operator who decides or of the auditor who asks"
    )]
    ByIsGone,
    /// The key and certificate of whoever decides.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// Whoever decides may not, or nothing could be decided.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// Retiring.
    #[error(transparent)]
    Retire(#[from] RetireError),
    /// Removing what is in the archive, or from it.
    #[error(transparent)]
    Leave(#[from] LeaveError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The settings of the archive.
    #[error("[audit.archive]: {0}")]
    Open(#[from] OpenError),
    /// No archive is configured.
    #[error("{} has no [audit.archive]; deploy/hjemmel.example.toml shows one", .0.display())]
    NoArchive(PathBuf),
    /// An archive without a log.
    #[error("THE LOGS ARE NOT WHOLE: the archive has no log at all")]
    EmptyArchive,
    /// Chain and store do not say the same.
    #[error("THE DECISIONS ARE NOT THOSE OF THE STORE:\n{}", .0.join("\n"))]
    OtherDecisions(Vec<String>),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error("{0}")]
    Names(report::NamesError),
    /// A question that is not on record.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// A certificate that names nobody.
    #[error("the certificate of --signed-certificate has no common name (CN), so nobody could read who asked; use a person's")]
    NoName,
    /// A running number that is none.
    #[error("a running number is digits alone; write it as `hjemmel persons show` tells it")]
    NoRunningNumber,
    /// A certificate that does not say whose calls may be told.
    #[error(
        "the certificate of --signed-certificate names no authority (organizationIdentifier=NTRDK-CVR), so nobody's calls are told; whoever audits the whole gateway adds --all-authorities"
    )]
    WhoseCalls,
    /// Another authority's calls.
    #[error(
        "whoever asks is an auditor of {0}, and is told of the calls of that authority alone; name that one or none with --authority"
    )]
    AnothersCalls(crate::id::cvr::Cvr),
    /// Signatures that prove nothing.
    #[error("NOT ASKED BY WHOM THEY NAME:\n{}", .0.join("\n"))]
    NotTheirs(Vec<String>),
    /// A time that holds no instant.
    #[error("--to ends before --from begins")]
    NoTime,
    /// An answer that may lack something.
    #[error("a log is not as it should be, so the answer may lack calls; run `hjemmel audit verify` on each")]
    Doubtful,
    /// No record of a delivery.
    #[error(
        "the logs have no delivery and no call {0}; one that was refused before its content was read is found by the call id of its fault alone"
    )]
    NoDelivery(Uuid),
    /// A delivery that was followed, and did not arrive whole.
    #[error("the delivery was not accepted; mend what its steps tell")]
    NotAccepted,
    /// A person.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No record of this call names a person.
    #[error("the log has no record of call {0} with a person in it")]
    NoPerson(Uuid),
    /// A folder in which no log can be.
    #[error("{}", crate::cli::file::describe(path, error))]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Reading or writing.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Runs the command: reads what it is told to from `input`, and writes what it has to say to `out`; how far a
/// long work has come, to `aside`.
///
/// # Errors
/// [`AuditError`]; [`AuditError::NotWhole`] is the verdict of `verify`.
pub fn run(
    args: Args,
    clock: &Clock,
    input: &mut impl BufRead,
    out: &mut impl Write,
    aside: &mut impl Write,
) -> Result<(), AuditError> {
    match args.command {
        Command::Keys { dir } => {
            for path in keys::generate(&dir)? {
                let public = path.extension().is_some_and(|extension| extension == "pub");
                writeln!(out, "made {}{}", path.display(), if public { ", for everyone to read" } else { "" })?;
            }
            writeln!(
                out,
                "Move auditors.key to the auditors now: the gateway must not be able to open what it sealed, and does not start beside it."
            )?;
        }
        Command::Verify { dirs, archive, key, anchor, config } => {
            let keys = key.iter().map(|path| keys::checkpoint_public_key(path)).collect::<Result<Vec<_>, _>>()?;
            let of_config = |config: PathBuf| -> Result<_, AuditError> {
                let settings = crate::config::store_of::<Service>(&config, clock.now()).map_err(AuditError::Config)?;
                let archive = archive.then(|| given::archive(&config, clock.now())).transpose()?;
                Ok((Some(wait(proof::known(&settings))?), archive))
            };
            let (known, archive) = config.map_or(Ok((None, None)), of_config)?;
            let places = given::places(&dirs, archive.as_ref())?;
            if places.len() > 1 && !anchor.is_empty() {
                return Err(AuditError::WhoseAnchor);
            }
            if places.is_empty() {
                return Err(AuditError::EmptyArchive);
            }
            proof::prove(places, &proof::Against { keys: &keys, given: &anchor, known }, out)?;
        }
        Command::Retire(args) => retire::run(&args, clock.now(), out)?,
        Command::Search { dir, pseudonym_key, cpr_stdin, delivery_stdin: _, from, to } => {
            given::there(&dir)?;
            let mut line = Zeroizing::new(String::new());
            io::Read::take(input, 4096).read_line(&mut line)?;
            let key = keys::pseudonym_key(&pseudonym_key)?;
            let at =
                |record: &Record| from.is_none_or(|from| from <= record.opened_at) && to.is_none_or(|to| record.opened_at < to);
            let found = if cpr_stdin {
                let pseudonym = key.pseudonym(&Zeroizing::new(line.trim().replacen('-', "", 1)))?;
                search(&dir, |record| record.names(&pseudonym) && at(record))?
            } else {
                let mark = key.delivery(line.trim());
                // How many persons a call named is no matter here.
                Found { crowded: 0, ..search(&dir, |record| record.about.carries(&mark) && at(record))? }
            };
            print(&found, out)?;
            if let Some(retired) = crate::audit::retire::read(&dir)?.last() {
                writeln!(out, "Calls before {} were retired and are not found any more.", retired.last_at)?;
            }
        }
        Command::Decisions { dir, config, json } => {
            given::there(&dir)?;
            let found = decided::decisions(&dir)?;
            if json {
                let all: Vec<_> = found.iter().map(|(decided, _)| decided).collect();
                serde_json::to_writer_pretty(&mut *out, &all).map_err(io::Error::from)?;
                writeln!(out)?;
            } else {
                found.iter().try_for_each(|(decided, _)| print_decision(decided, out))?;
                writeln!(out, "{} decisions", found.len())?;
            }
            if let Some(config) = config {
                let settings = crate::config::store_of::<Service>(&config, clock.now()).map_err(AuditError::Config)?;
                let compared = wait(compare(&settings, &found))?;
                if !json {
                    writeln!(
                        out,
                        "{} of them are as the store has them, {} signatures verified.",
                        compared.alike, compared.signed
                    )?;
                    if compared.waiting > 0 {
                        writeln!(
                            out,
                            "{} of the store wait for their place in a log: a gateway that serves puts them there.",
                            compared.waiting
                        )?;
                    }
                    if compared.elsewhere > 0 {
                        writeln!(
                            out,
                            "{} of the store were put in a log, and do not stand in this one: look in those of the other nodes, and of before. Where there is none, they are missing.",
                            compared.elsewhere
                        )?;
                    }
                }
                if !compared.wrong.is_empty() {
                    return Err(AuditError::OtherDecisions(compared.wrong));
                }
            }
        }
        Command::Report(args) => report::run(*args, clock, input, out, aside)?,
        Command::Delivery { id, dirs } => delivery::print(id, &dirs, out)?,
        Command::Questions { dir, json } => {
            given::there(&dir)?;
            let found: Vec<_> = question::questions(&dir)?.into_iter().map(|question| (question.proof(), question)).collect();
            if json {
                let all: Vec<_> = found.iter().map(|(proof, question)| Listed { proof: proof.name(), question }).collect();
                serde_json::to_writer_pretty(&mut *out, &all).map_err(io::Error::from)?;
                writeln!(out)?;
            } else {
                found.iter().try_for_each(|(proof, question)| print_question(question, proof, out))?;
                writeln!(out, "{} questions", found.len())?;
            }
            let wrong = found.iter().filter(|(proof, _)| matches!(proof, Proof::Wrong));
            let wrong: Vec<_> = wrong
                .map(|(_, question)| {
                    format!("question {}: its signature is not that certificate's of this question", question.question)
                })
                .collect();
            if !wrong.is_empty() {
                return Err(AuditError::NotTheirs(wrong));
            }
        }
        Command::Open { dir, key, call } => {
            let auditors = keys::auditors(&key)?;
            given::there(&dir)?;
            if let Some(person) =
                question::questions(&dir)?.iter().find(|asked| asked.question == call).and_then(|q| q.person.as_ref())
            {
                writeln!(out, "{}", auditors.open(call, person)?.as_str())?;
                return Ok(());
            }
            let found = search(&dir, |record| record.call == call && !record.persons.is_empty())?;
            let record = found.calls.get(&call).ok_or(AuditError::NoPerson(call))?;
            for sealed in &record.persons {
                writeln!(out, "{}", auditors.open(call, sealed)?.as_str())?;
            }
        }
    }
    Ok(())
}

fn print_retirement(what: &str, statement: &Retirement, out: &mut impl Write) -> io::Result<()> {
    let Retirement { from, to, sequence, first_at, last_at, at, by, reason, .. } = statement;
    writeln!(out, "Segments {from} to {to} (until entry {sequence}; {first_at} to {last_at}) {what} on {at} by {by}: {reason}")
}

fn print_decision(decided: &Decided, out: &mut impl Write) -> io::Result<()> {
    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let from = decided.from.as_deref().unwrap_or("(new)");
    writeln!(out, "{}  {} {}  {from} -> {}", decided.decided_at, decided.subject.name(), decided.id, decided.to)?;
    let by = decided.delegation.map_or_else(String::new, |delegation| format!(" by delegation {delegation}"));
    let who = decided.user.map_or_else(|| "whoever holds the store".to_owned(), |user| format!("user {user}{by}"));
    let (role, certificate) =
        (dash(decided.role.as_deref().map(str::to_owned)), dash(decided.certificate.map(|c| c.to_string())));
    writeln!(out, "    decision {}, {who}, role {role}, certificate {certificate}", decided.decision)
}

/// A question for programs, with what proves who asked.
#[derive(serde::Serialize)]
struct Listed<'q> {
    #[serde(flatten)]
    question: &'q Question,
    proof: &'static str,
}

fn print_question(question: &Question, proof: &Proof, out: &mut impl Write) -> io::Result<()> {
    let Question { question: id, asked_at, by, user, reason, person, call, authority, certificate, from, to, logs, signed: _ } =
        question;
    writeln!(out, "{asked_at}  question {id}  {by}: {reason}")?;
    let user = user.map(|user| format!("user {user}, ")).unwrap_or_default();
    match proof {
        Proof::Signed(of) => {
            let issuer = inspect(&CertificateDer::from(of.der())).map_or_else(|_| "-".to_owned(), |facts| facts.issuer);
            let (subject, thumbprint) = (of.subject(), of.thumbprint_hex());
            writeln!(out, "    {user}signed by {subject}, certificate {thumbprint}, issued by {issuer}")?;
        }
        Proof::Wrong => writeln!(out, "    {user}WRONG: the signature is not that certificate's of this question")?,
        Proof::Console => writeln!(out, "    {user}asked in the console")?,
        Proof::Nothing => writeln!(out, "    not signed: the name proves nobody")?,
    }
    let about = [
        person.as_ref().map(|_| "a person, sealed".to_owned()),
        call.map(|call| format!("call {call}")),
        authority.map(|cvr| format!("authority {cvr}")),
        certificate.map(|certificate| format!("certificate {certificate}")),
        from.map(|at| format!("from {at}")),
        to.map(|at| format!("before {at}")),
        Some(format!("{} logs", logs.len())),
    ];
    writeln!(out, "    {}", about.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// What came of holding a chain's decisions against the store.
struct Compared {
    alike: usize,
    signed: usize,
    /// Decisions of the store that no node has put in a log yet.
    waiting: usize,
    /// Those that were put in one, and are not in this.
    elsewhere: usize,
    wrong: Vec<String>,
}

async fn compare(settings: &crate::store::Settings, found: &[(Decided, u64)]) -> Result<Compared, AuditError> {
    let store = Store::open_to(Access::Look, settings).await?;
    let mut compared = Compared { alike: 0, signed: 0, waiting: 0, elsewhere: 0, wrong: Vec::new() };
    let mut kept: std::collections::BTreeMap<Uuid, _> =
        store.every_decision().await?.into_iter().map(|made| (made.id, made)).collect();
    for (decided, times) in found {
        let id = decided.decision;
        let Some(made) = kept.remove(&id) else {
            compared.wrong.push(format!("decision {id} stands in the log, and not in the store"));
            continue;
        };
        if *times > 1 {
            compared.wrong.push(format!("decision {id} stands {times} times in the log"));
        }
        if outbox::decided(made.clone()) != *decided {
            compared.wrong.push(format!("decision {id} is another in the store than in the log"));
            continue;
        }
        compared.alike += 1;
        if let (Some(signature), Some(thumbprint)) = (&made.signature, made.certificate) {
            let certificate = store.certificate(thumbprint).await?;
            match certificate
                .is_some_and(|certificate| is_signed_by(&certificate, signature, &made.what, &made.because, made.by_delegation))
            {
                true => compared.signed += 1,
                false => compared.wrong.push(format!("decision {id}: its signature is not that user's of this decision")),
            }
        }
    }
    compared.waiting = kept.values().filter(|made| made.recorded_at.is_none()).count();
    compared.elsewhere = kept.len() - compared.waiting;
    store.close().await;
    Ok(compared)
}

fn print(found: &Found, out: &mut impl Write) -> io::Result<()> {
    for record in found.calls.values() {
        print_one(record, out)?;
    }
    writeln!(out, "{} calls", found.calls.len())?;
    if found.crowded > 0 {
        writeln!(
            out,
            "WARNING: {} refused calls named more persons than a record seals; any of them may be about this one",
            found.crowded
        )?;
    }
    if found.unreadable > 0 {
        writeln!(out, "WARNING: {} lines could not be read; run `hjemmel audit verify`", found.unreadable)?;
    }
    Ok(())
}

fn print_one(record: &Record, out: &mut impl Write) -> io::Result<()> {
    fn or_dash(value: &Option<impl ToString>) -> String {
        value.as_ref().map_or("-".to_owned(), ToString::to_string)
    }
    let outcome = record.outcome.map_or("admitted, never closed", |outcome| outcome.name());
    writeln!(out, "{}  call {}  {outcome} {}", record.opened_at, record.call, record.refusal.as_deref().unwrap_or_default())?;
    writeln!(
        out,
        "    authority {}, system {}, certificate {}",
        or_dash(&record.authority),
        or_dash(&record.client_system),
        or_dash(&record.certificate)
    )?;
    writeln!(
        out,
        "    agreement {}, basis {}, purpose {}",
        or_dash(&record.front_agreement),
        or_dash(&record.legal_basis),
        or_dash(&record.purpose)
    )?;
    record.about.summary().map_or(Ok(()), |summary| writeln!(out, "    {summary}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AboutPassThrough, Audit, AuditSettings};
    use crate::cli::as_user;
    use crate::services::terminaladgang::law::refusal::LawRefusal;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    struct House(tempfile::TempDir);

    impl House {
        /// A log with one call about an invented person.
        async fn new() -> Self {
            let house = Self(tempfile::tempdir().unwrap());
            house.run(&["keys", &house.path("keys")], "").unwrap();
            let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
            let key = keys::checkpoint_key(house.path("keys/checkpoint.key").as_ref()).unwrap();
            let audit = Audit::start(AuditSettings::in_dir(house.path("log")), key, clock.clone(), |_| {}).unwrap();
            let sealer =
                keys::sealer(house.path("keys/pseudonym.key").as_ref(), house.path("keys/auditors.pub").as_ref()).unwrap();
            let mut open = audit.open(Record::new(Uuid::from_u128(1), clock.now(), "terminaladgang")).unwrap();
            open.persons = vec![sealer.seal(open.call, "6101801234").unwrap()];
            open.authority = Some("11111111".parse().unwrap());
            open.served();
            // And one that was refused, about the same person and somebody else.
            let mut open = audit.open(Record::new(Uuid::from_u128(3), clock.now(), "terminaladgang")).unwrap();
            open.persons = ["6201801234", "6101801234"].map(|cpr| sealer.seal(open.call, cpr).unwrap()).into();
            open.persons_left_out = 1;
            open.refused(&LawRefusal::PersonSeveral.into());
            // And a delivery.
            let mut open = audit.open(Record::new(Uuid::from_u128(5), clock.now(), "finans")).unwrap();
            let about = AboutPassThrough { delivery: Some(sealer.delivery("LEV-7")), ..AboutPassThrough::new("00".into()) };
            open.about = AboutPassThrough { receiver: Some("22222222".parse().unwrap()), ..about }.into();
            open.served();
            assert!(audit.stop(std::time::Duration::from_secs(5)).await);
            house
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).display().to_string()
        }

        fn run(&self, words: &[&str], input: &str) -> Result<String, String> {
            let args = Line::try_parse_from([&["audit"], words].concat()).map_err(|error| error.to_string())?.args;
            let mut out = Vec::new();
            run(args, &Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap()), &mut input.as_bytes(), &mut out, &mut io::sink())
                .map_err(|error| error.to_string())?;
            Ok(String::from_utf8(out).unwrap())
        }

        fn search(&self, input: &str, more: &[&str]) -> Result<String, String> {
            let (log, key) = (self.path("log"), self.path("keys/pseudonym.key"));
            self.run(&[&["search", &log, "--pseudonym-key", &key, "--cpr-stdin"], more].concat(), input)
        }
    }

    #[tokio::test]
    async fn a_whole_log_is_proven_and_a_changed_one_is_told_by_file_and_line() {
        let house = House::new().await;
        let (log, key) = (house.path("log"), house.path("keys/checkpoint.pub"));
        let verdict = house.run(&["verify", &log, "--key", &key], "").unwrap();
        assert!(verdict.starts_with("The log is whole"), "{verdict}");
        let anchor = verdict.lines().find_map(|line| line.strip_prefix("Anchor to keep elsewhere: ")).unwrap();
        house.run(&["verify", &log, "--key", &key, "--anchor", anchor], "").unwrap();
        let segment = house.path("log/segment-00000001.jsonl");
        let text = std::fs::read_to_string(&segment).unwrap().replace("11111111", "99999981");
        std::fs::write(&segment, text).unwrap();
        let verdict = house.run(&["verify", &log, "--key", &key], "").unwrap_err();
        assert!(verdict.contains("NOT WHOLE") && verdict.contains("segment-00000001.jsonl, line 3:"), "{verdict}");
    }

    #[tokio::test]
    async fn a_person_is_found_from_standard_input_only_and_opened_with_the_auditors_key_only() {
        let house = House::new().await;
        for spelling in ["6101801234\n", "610180-1234\r\n", " 6101801234"] {
            let found = house.search(spelling, &[]).unwrap();
            assert!(
                found.contains("authority 11111111") && found.contains("refused PersonSeveral") && found.contains("2 calls"),
                "{found}"
            );
        }
        assert!(!house.search("6101801234\n", &[]).unwrap().contains("6101801234"));
        let other = house.search("6201801234\n", &[]).unwrap();
        assert!(other.contains("1 calls") && other.contains("WARNING: 1 refused calls named more persons"), "{other}");
        assert!(house.search("6101801235\n", &[]).unwrap().contains("0 calls"));
        assert!(house.search("6101801234\n", &["--from", "2026-11-23T00:00:00Z"]).unwrap().contains("0 calls"));
        assert!(
            house.search("6101801234\n", &["--to", "2026-11-22T12:00:00Z"]).unwrap().contains("0 calls"),
            "the end is not included"
        );
        let refused = house.search("Karla\n", &[]).unwrap_err();
        assert!(refused.contains("ten digits") && !refused.contains("Karla"), "{refused}");
        let on_the_line = house.run(&["search", &house.path("log"), "--pseudonym-key", "k", "--cpr-stdin", "6101801234"], "");
        assert!(on_the_line.is_err(), "argv is seen by every user of the machine");

        let (log, call) = (house.path("log"), Uuid::from_u128(1).to_string());
        let opened = house.run(&["open", &log, "--key", &house.path("keys/auditors.key"), "--call", &call], "").unwrap();
        assert_eq!(opened, "6101801234\n");
        let refused = Uuid::from_u128(3).to_string();
        let opened = house.run(&["open", &log, "--key", &house.path("keys/auditors.key"), "--call", &refused], "").unwrap();
        assert_eq!(opened, "6201801234\n6101801234\n", "everybody whom it named");
        assert!(house.run(&["open", &log, "--key", &house.path("keys/checkpoint.key"), "--call", &call], "").is_err());
        let unknown = Uuid::from_u128(2).to_string();
        assert!(
            house
                .run(&["open", &log, "--key", &house.path("keys/auditors.key"), "--call", &unknown], "")
                .unwrap_err()
                .contains("no record")
        );
    }

    #[tokio::test]
    async fn a_delivery_is_found_by_its_id_with_its_receiver_and_no_word_of_persons() {
        let house = House::new().await;
        let (log, key) = (house.path("log"), house.path("keys/pseudonym.key"));
        let search = |id: &str| house.run(&["search", &log, "--pseudonym-key", &key, "--delivery-stdin"], id).unwrap();
        let found = search("LEV-7\n");
        assert!(found.contains("receiver 22222222, route -") && found.contains("\n1 calls\n"), "{found}");
        assert!(!found.contains("LEV-7") && !found.contains("WARNING"), "{found}");
        assert_eq!(search("lev-7\n"), "0 calls\n");
        let both = house.run(&["search", &log, "--pseudonym-key", &key, "--cpr-stdin", "--delivery-stdin"], "");
        assert!(both.is_err() && house.run(&["search", &log, "--pseudonym-key", &key], "").is_err());
    }

    /// The words of a report over the log of the house, and what it is about.
    fn report(house: &House, more: &[&str], input: &str) -> Result<String, String> {
        report_by(house, &as_the_auditor(house), more, input)
    }

    /// The same, by whoever these options name.
    fn report_by(house: &House, by: &[String], more: &[&str], input: &str) -> Result<String, String> {
        let (log, questions) = (house.path("log"), house.path("questions"));
        let key = house.path("keys/checkpoint.key");
        let by: Vec<_> = by.iter().map(String::as_str).collect();
        let ours = ["--questions", &questions, "--questions-key", &key, "--reason", "tilsyn", "--all-authorities"];
        house.run(&[&["report", &log], &ours[..], &by[..], more].concat(), input)
    }

    /// The options by which somebody signs a question.
    fn as_the_auditor(house: &House) -> [String; 4] {
        if !house.0.path().join("pki").exists() {
            as_user::keys(house.0.path());
        }
        let [_, certificate, _, key] = as_user::options(house.0.path(), "I. Drift");
        ["--signed-certificate".to_owned(), certificate, "--signed-key".to_owned(), key]
    }

    #[tokio::test]
    async fn a_question_is_signed_by_whoever_asks_and_the_log_alone_proves_it() {
        let house = House::new().await;
        let about = ["--authority", "11111111", "--count"];
        let named = report_by(&house, &["--by".to_owned(), "R. Visor".to_owned()], &about, "").unwrap_err();
        assert!(named.contains("--by is gone") && named.contains("--signed-certificate"), "{named}");
        let [words, certificate, of_key, _] = as_the_auditor(&house);
        let [_, _, _, other] = as_user::options(house.0.path(), "O. Drift");
        let unlike = report_by(&house, &[words, certificate, of_key, other], &about, "").unwrap_err();
        assert!(unlike.contains("belongs to the private key"), "{unlike}");
        assert!(!house.0.path().join("questions").exists(), "nobody has asked anything");

        report(&house, &about, "").unwrap();
        let questions = house.path("questions");
        let told = house.run(&["questions", &questions], "").unwrap();
        assert!(told.contains("Demo Drift: tilsyn") && told.contains("signed by C=DK") && told.contains("issued by"), "{told}");
        let listed: serde_json::Value =
            serde_json::from_str(&house.run(&["questions", &questions, "--json"], "").unwrap()).unwrap();
        assert_eq!((&listed[0]["proof"], &listed[0]["by"]), (&"signed".into(), &"Demo Drift".into()), "{listed}");

        // The signature is of the line's own bytes: whoever has the log needs nothing of ours to verify it.
        let [question] = &question::questions(questions.as_ref()).unwrap()[..] else { panic!("one question") };
        let line = std::fs::read_to_string(house.0.path().join("questions/segment-00000001.jsonl")).unwrap();
        let text = question.text().unwrap();
        let asked = text.lines().nth(1).unwrap().strip_suffix('}').unwrap();
        assert!(line.contains(&format!("{{\"asked\":{asked},\"signed\":")), "{asked}: {line}");
    }

    #[tokio::test]
    async fn no_part_of_a_signed_question_can_be_another_and_no_other_certificate_has_signed_it() {
        let house = House::new().await;
        report(&house, &["--authority", "11111111", "--from", "22.11.2026"], "").unwrap();
        let [asked] = &question::questions(house.path("questions").as_ref()).unwrap()[..] else { panic!("one question") };
        let signed = asked.signed.clone().unwrap();
        assert!(matches!(asked.proof(), Proof::Signed(_)));
        let another = |certificate: &str| {
            let pem = std::fs::read_to_string(house.path(&format!("pki/{certificate}.pem"))).unwrap();
            let leaf = pem.split("-----").nth(2).unwrap().split_whitespace().collect::<String>();
            Some(question::Signed { certificate: leaf, signature: signed.signature.clone() })
        };
        assert_eq!(another("person-operator"), asked.signed, "the file's own leaf");
        let later = asked.asked_at + jiff::SignedDuration::from_hours(1);
        for altered in [
            Question { question: Uuid::from_u128(7), ..asked.clone() },
            Question { asked_at: later, ..asked.clone() },
            Question { by: "En anden".to_owned(), ..asked.clone() },
            Question { user: Some(Uuid::from_u128(7)), ..asked.clone() },
            Question { reason: "nysgerrighed".to_owned(), ..asked.clone() },
            Question { call: Some(Uuid::from_u128(7)), ..asked.clone() },
            Question { authority: None, ..asked.clone() },
            Question { from: None, ..asked.clone() },
            Question { to: Some(later), ..asked.clone() },
            Question { logs: Vec::new(), ..asked.clone() },
            Question { signed: another("person-supplier"), ..asked.clone() },
            Question { signed: Some(question::Signed { signature: String::new(), ..signed.clone() }), ..asked.clone() },
            Question { signed: Some(question::Signed { certificate: "AAAA".to_owned(), ..signed.clone() }), ..asked.clone() },
        ] {
            assert!(matches!(altered.proof(), Proof::Wrong), "{altered:?}");
        }
        let before = Question { signed: None, ..asked.clone() };
        assert!(matches!(before.proof(), Proof::Nothing), "a name alone is told as such");
        assert!(matches!(Question { user: Some(Uuid::from_u128(7)), ..before }.proof(), Proof::Console));

        // In a log, a wrong one is told and exits 1; one of before is told as proving nobody.
        let key = || keys::checkpoint_key(house.path("keys/checkpoint.key").as_ref()).unwrap();
        let questions = house.path("altered");
        let other = Question { by: "En anden".to_owned(), ..asked.clone() };
        let nobody = Question { signed: None, ..asked.clone() };
        nobody.record(questions.as_ref(), key()).unwrap();
        assert!(house.run(&["questions", &questions], "").unwrap().contains("not signed: the name proves nobody"));
        other.record(questions.as_ref(), key()).unwrap();
        let refused = house.run(&["questions", &questions], "").unwrap_err();
        assert!(refused.contains("NOT ASKED BY WHOM THEY NAME") && refused.contains(&asked.question.to_string()), "{refused}");
    }

    #[tokio::test]
    async fn imports_of_persons_and_files_are_told_by_number_status_and_what_was_handed_over_and_by_no_person() {
        use crate::audit::{AboutFile, AboutPersons};
        let house = House::new().await;
        let clock = Clock::fixed("2026-11-22T13:00:00Z".parse().unwrap());
        let key = keys::checkpoint_key(house.path("keys/checkpoint.key").as_ref()).unwrap();
        let audit = Audit::start(AuditSettings::in_dir(house.path("log")), key, clock.clone(), |_| {}).unwrap();
        let sealer = keys::sealer(house.path("keys/pseudonym.key").as_ref(), house.path("keys/auditors.pub").as_ref()).unwrap();
        let count = |code: &str, many| [(code.to_owned(), many)].into();
        let import =
            AboutPersons { persons: 3, statuses: count("OPRETTET", 2), findings: count("PER018", 1), ..AboutPersons::default() };
        let mut open = audit.open(Record::new(Uuid::from_u128(7), clock.now(), "persons")).unwrap();
        open.authority = Some("33333333".parse().unwrap());
        open.persons = vec![sealer.seal_running(open.call, "40213").unwrap()];
        open.about = AboutPersons { repeated: true, ..import.clone() }.into();
        open.served();
        let mut open = audit.open(Record::new(Uuid::from_u128(8), clock.now(), "files")).unwrap();
        open.authority = Some("44444444".parse().unwrap());
        let file = AboutFile {
            name: sealer.seal_name(open.call, "6301801234.csv").unwrap(),
            bytes: 42,
            sha256: "ab".repeat(32),
            recipients: vec![Uuid::from_u128(9)],
            receiver: Some("22222222".parse().unwrap()),
            finance: None,
            import: None,
        };
        open.about = file.into();
        open.served();
        let mut open = audit.open(Record::new(Uuid::from_u128(10), clock.now(), "persons")).unwrap();
        open.authority = Some("55555555".parse().unwrap());
        open.about = import.into();
        open.refused(&crate::refusal::Refusal::AuditUnavailable);
        assert!(audit.stop(std::time::Duration::from_secs(5)).await);

        let [pseudonyms, auditors] = ["pseudonym.key", "auditors.pub"].map(|file| house.path(&format!("keys/{file}")));
        let keys = ["--pseudonym-key", &pseudonyms, "--auditors-pub", &auditors];
        let by_number = |number: &str| report(&house, &[&["--running-number", "--lang", "both"], &keys[..]].concat(), number);
        let told = by_number("40213\n").unwrap();
        for words in [
            "personer i importen · persons in the import: 3",
            "OPRETTET ×2",
            "PER018",
            "svaret fra før, givet igen · the answer of before, given again",
            "tjenestens egne regler · the service's own rules",
            "løbenummer og status",
            "1 kald · calls",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(by_number("40214\n").unwrap().contains("\n0 kald · calls\n"));
        assert!(by_number("Karla\n").unwrap_err().contains("digits alone"));
        let question = &question::questions(house.path("questions").as_ref()).unwrap()[0];
        let (own, of_it) = (house.path("questions"), question.question.to_string());
        let opened = house.run(&["open", &own, "--key", &house.path("keys/auditors.key"), "--call", &of_it], "").unwrap();
        assert_eq!(opened, "40213\n", "the question says about whom, to the auditors alone");
        let file = report(&house, &["--authority", "44444444", "--lang", "en"], "").unwrap();
        assert!(file.contains("size of the file, bytes: 42") && file.contains("released: the file, unchanged"), "{file}");
        let table = report(&house, &["--authority", "44444444", "--format", "csv"], "").unwrap();
        assert!(table.contains("filen, uændret, til de modtagende brugere"), "{table}");
        let listed = report(&house, &["--authority", "33333333", "--format", "json", "--lang", "en"], "").unwrap();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let handed = listed["calls"][0]["released_whole"].as_str().unwrap();
        assert!(handed.starts_with("the answer to the import"), "{listed}");
        let refused = report(&house, &["--authority", "55555555", "--lang", "en"], "").unwrap();
        assert!(refused.contains("released: nothing") && refused.contains("judged by: nothing"), "{refused}");
        for text in [told, file, table, refused] {
            assert!(!text.contains("630180") && !text.contains("40213"), "{text}");
        }
    }

    #[tokio::test]
    async fn services_without_release_tell_where_a_call_went_and_an_old_record_says_what_it_does_not_hold() {
        use crate::audit::{AboutFinance, AboutTerminalAdgang, FinanceFigures, PolicyRef};
        let house = House::new().await;
        let clock = Clock::fixed("2026-11-22T13:00:00Z".parse().unwrap());
        let key = keys::checkpoint_key(house.path("keys/checkpoint.key").as_ref()).unwrap();
        let audit = Audit::start(AuditSettings::in_dir(house.path("log")), key, clock.clone(), |_| {}).unwrap();
        let mut open = audit.open(Record::new(Uuid::from_u128(7), clock.now(), "finans")).unwrap();
        open.authority = Some("33333333".parse().unwrap());
        open.purpose = Some("=HYPERLINK(\"https://example.org\")".to_owned());
        let pass = AboutPassThrough { receiver: Some("22222222".parse().unwrap()), ..AboutPassThrough::new("ab".into()) };
        let figures = serde_json::json!({
            "delivery": Uuid::from_u128(8), "vouchers": 2, "postings": 5, "debit": "10.00", "credit": "10.00",
            "list": Uuid::from_u128(9), "findings": { "FB010": 3 }, "receipt": "FB016", "accepted": 1, "rejected": 1,
        });
        let figures: FinanceFigures = serde_json::from_value(figures).unwrap();
        open.about = AboutFinance { pass, figures }.into();
        open.served();
        // As a gateway of before wrote it: removed fields without their places, and nothing of what was searched on.
        let mut open = audit.open(Record::new(Uuid::from_u128(9), clock.now(), "terminaladgang")).unwrap();
        open.authority = Some("44444444".parse().unwrap());
        let policy = PolicyRef { id: "terminaladgang-6".into(), version: "1".into(), digest: "cd".into() };
        let mut about = AboutTerminalAdgang::new(policy, std::collections::BTreeMap::new());
        about.removed.fields.insert("net-amounts".into(), 4);
        open.about = about.into();
        open.served();
        assert!(audit.stop(std::time::Duration::from_secs(5)).await);

        let told = report(&house, &["--authority", "33333333", "--lang", "en"], "").unwrap();
        for words in [
            "receiver: 22222222",
            "vouchers: 2",
            "debit, DKK: 10.00",
            "FB010 ×3",
            "receipt: FB016",
            "vouchers rejected: 1",
            "judged by: contract",
            "the whole answer, unchanged",
            "\n1 calls\n",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        let table = report(&house, &["--authority", "33333333", "--format", "csv"], "").unwrap();
        assert!(table.contains("\"'=HYPERLINK(\"\"https") && !table.contains(",\"=") && !table.contains(",="), "{table}");
        let old = report(&house, &["--authority", "44444444"], "").unwrap();
        for words in ["hvilke felter: ikke registreret", "4 felter net-amounts", "søgt på: ikke registreret"] {
            assert!(old.contains(words), "{words}: {old}");
        }
        let both = report(&house, &["--from", "22.11.2026", "--to", "22.11.2026", "--count", "--lang", "en"], "").unwrap();
        assert!(
            both.contains("from 2026-11-22 00:00:00 +01:00") && both.contains("until, not included, 2026-11-23 00:00:00 +01:00"),
            "{both}"
        );
        assert!(both.ends_with("\n5 calls\n"), "{both}");
        assert!(report(&house, &["--from", "23.11.2026"], "").unwrap().ends_with("\n0 kald\n"));
        assert!(report(&house, &["--from", "23.11.2026", "--to", "21.11.2026"], "").unwrap_err().contains("ends before"));
    }
}
