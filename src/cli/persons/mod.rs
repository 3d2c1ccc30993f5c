//! `hjemmel persons`: persons that institutions import, and what is handed on of them to Campus.

mod adopt;
mod import;
mod queue;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::person::{Person, PersonError};
use super::place::{Place, PlaceError, one_line, with_store};
use super::user::Decide;
use crate::agreements::Store;
use crate::audit::anchors;
use crate::audit::verify::Anchor;
use crate::clock::Clock;
use crate::config::{Draft, Report};
use crate::decisions::{Because, By, DecideError};
use crate::id::cvr::Cvr;
use crate::outbound::SetupError;
use crate::persons::campus::adopt::AdoptError;
use crate::persons::campus::queue::QueueError;
use crate::persons::erase::replay::{self, Logs, ReplayError};
use crate::persons::erase::{self, EraseError};
use crate::persons::file::FileError;
use crate::persons::number::KeyError;
use crate::persons::shown::{self, Shown};
use crate::persons::{ImportError, PersonKeys, Persons, Scope};
use crate::services::Service;
use crate::store::{Access, Database, StoreError};

/// Persons that institutions import and Campus is told of: from a file, one to look at, one to be erased; what waits.
///
/// Persons are known by running numbers. A CPR number is never kept, and stands in no output.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file has a line that names the fields (CSV, UTF-8, `;` or `,`), or is XML (Personer). What became of each person
is written to a file beside it, in which no cell is a formula to a spreadsheet.

Examples:
  hjemmel persons import medarbejdere.csv --authority 11111111 --institution 0701 --reason \"sag 7\" --config hjemmel.toml
  hjemmel persons show 812345678901234 --config hjemmel.toml
  echo 6101801234 | hjemmel persons show --cpr --authority 11111111 --institution 0701 --config hjemmel.toml
  hjemmel persons erase 812345678901234 --reason \"sag 8\" --certificate ejer.pem --key ejer.key.pem --config hjemmel.toml
  hjemmel persons queue show --config hjemmel.toml
  hjemmel persons queue retry 1742 --reason \"the user name is free now\" --config hjemmel.toml
  hjemmel persons adopt users.csv --reason \"cut-over\" --config hjemmel.toml")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Import the persons of a file, each answered in a file beside it
    Import(Box<import::Import>),
    /// Show a person's employments, by running number or, read from standard input, CPR number
    Show {
        /// The running number
        #[arg(required_unless_present = "cpr")]
        number: Option<i64>,
        /// Read a CPR number from standard input, so that it stands in no shell's history
        #[arg(long, conflicts_with = "number", requires = "authority", requires = "institution")]
        cpr: bool,
        /// With --cpr: the authority
        #[arg(long, value_name = "CVR")]
        authority: Option<Cvr>,
        /// With --cpr: the institution (InstitutionsID1); may be repeated
        #[arg(long, value_name = "ID")]
        institution: Vec<String>,
    },
    /// Take a person out for good, as the authority that is its data controller decides; nothing leads back to the number
    Erase {
        /// The running number
        number: i64,
        /// The service that persons are imported by, by UUID or with --config by name, where the user is one for single services
        #[arg(long, value_name = "NAME|UUID")]
        service: Option<String>,
        /// Why, in a sentence
        #[arg(long, value_name = "TEXT", value_parser = one_line)]
        reason: String,
        #[command(flatten)]
        person: Person,
    },
    /// In a store that was put back: erase again whom the audit log of a node that does not start any more says to be erased
    ///
    /// Nobody is imported before every log was read that the store knows of. A node that starts reads its own; what left its folder is
    /// read in the archive that the configuration names. Signatures are not looked at: `hjemmel audit verify` does, and an anchor shows a
    /// log that was rolled back together with its head.json.
    Replay {
        /// The folder of the log
        #[arg(long, value_name = "FOLDER", required_unless_present = "without", conflicts_with = "without")]
        audit: Option<PathBuf>,
        /// An entry's number and hash, kept elsewhere, that the log must have; may be given again
        #[arg(long, value_name = "NUMBER:HASH", conflicts_with = "without")]
        anchor: Vec<Anchor>,
        /// Go on without the log of this name, whose folder is lost: whom it alone told to be erased stays in the store
        #[arg(long, value_name = "LOG")]
        without: Option<Uuid>,
        #[command(flatten)]
        decide: Decide,
    },
    /// What waits to be handed on, and what Campus refuses: show, try again, drop
    #[command(subcommand)]
    Queue(queue::Command),
    /// Match users who are in Campus already with persons, so that nobody is created a second time
    ///
    /// FILE is CSV with the header CVR;InstitutionsID1;Medarbejdernummer;Brugernavn. The persons must have been imported. Run it before
    /// a gateway with [campus] serves, or what waits creates users whose names are taken, which Campus refuses. The same file again
    /// goes on where it ended.
    Adopt(adopt::Adopt),
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum CommandError {
    /// It is not known where the store is, or for which service.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who decides.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// Nobody was erased.
    #[error(transparent)]
    Erase(#[from] EraseError),
    /// A log was not read for erasures.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// It may not be.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// Persons were not imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file cannot be read, or not any further.
    #[error("{file}: {error}; what was read before is imported, and answered in {result}")]
    Rows {
        file: String,
        /// Why.
        error: FileError,
        /// The answers.
        result: String,
    },
    /// It may not be, or there is no such row.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Not all was matched.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// What the configuration says of Campus.
    #[error("{0}")]
    Config(Report),
    /// It says nothing.
    #[error("the configuration has no [campus]; name it with --config FILE, deploy/hjemmel.example.toml shows one")]
    NoCampus,
    /// Campus cannot be reached so.
    #[error("[campus]: {0}")]
    Setup(#[from] SetupError),
    /// A file cannot be read or made.
    #[error("{}", crate::cli::file::describe(file, cause))]
    File {
        file: std::path::PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// What is wrong with what was given.
    #[error("{0}")]
    Given(String),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Carries out the command.
///
/// # Errors
/// [`CommandError`].
pub async fn run(args: Args, clock: &Clock, input: &mut impl BufRead, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let now = clock.now();
    let Args { place, command } = args;
    match command {
        Command::Queue(command) => queue::run(&place, command, clock, out).await?,
        Command::Adopt(command) => return adopt::run(&place, command, clock, out).await,
        Command::Replay { audit, anchor, without, decide } => {
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            let archive = logs(&place, now).and_then(|logs| logs.archive);
            let work = async |store: &Store| {
                let by = signer.as_ref().map(By::Key);
                match (&audit, without) {
                    (Some(folder), _) => {
                        let logs = Logs { folder: folder.clone(), archive, anchors: anchor };
                        replay::of_folder(store, by, &logs, &because, clock).await
                    }
                    (None, log) => {
                        let log = log.unwrap_or_default();
                        let read = replay::without(store, by, log, archive.as_ref(), &because, clock).await;
                        read.map(|(again, missing)| (log, again, missing))
                    }
                }
            };
            let (log, again, missing) = with_store(&place.settings(now)?, Access::Change, work).await?;
            writeln!(out, "log {log}: {again} persons were there again, and are erased")?;
            match missing.as_slice() {
                [] => writeln!(out, "every log was read: persons are imported again")?,
                logs => {
                    logs.iter().try_for_each(|log| writeln!(out, "log {log} is still to be read; nobody is imported before"))?
                }
            }
        }
        Command::Import(import) => return import.run(&place, clock, out).await,
        Command::Show { number: Some(number), .. } => {
            with_store(&place.settings(now)?, Access::Look, async |store| show(store.database(), &[number], out).await).await?;
        }
        Command::Show { number: None, authority, institution, .. } => {
            let authority =
                authority.ok_or_else(|| CommandError::Given("say for which authority: --authority CVR".to_owned()))?;
            let mut cpr = Zeroizing::new(String::new());
            input.read_line(&mut cpr)?;
            let scope =
                Scope { authority, institutions: institution.into_iter().collect(), times: None, erase_after_months: None };
            let work = async |store: &Store| -> Result<(), CommandError> {
                let persons = persons(&place, store.database(), now)?;
                let found = persons.numbers_of(&scope, &cpr).await?;
                let found =
                    found.ok_or_else(|| CommandError::Given("what was read is no CPR number of ten digits".to_owned()))?;
                let numbers: Vec<i64> = found.into_iter().map(|(_, number)| number).collect();
                show(store.database(), &numbers, out).await
            };
            with_store(&place.settings(now)?, Access::Look, work).await?;
        }
        Command::Erase { number, service, reason, person } => {
            let (signer, because) = (person.signer()?, Because::new(reason, now));
            let service = service.map_or(Ok(Uuid::nil()), |named| place.service(&named, now))?;
            let work = async |store: &Store| erase::erase(store, By::Key(&signer), number, service, &because).await;
            with_store(&place.settings(now)?, Access::Change, work).await?;
            writeln!(out, "{number} is erased; nothing leads back to who it was, and Campus is told to delete the user")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The persons of a store, under the configuration's key.
fn persons(place: &Place, database: &Database, now: jiff::Timestamp) -> Result<Persons, CommandError> {
    let draft = place.draft(now);
    let sections = draft.as_ref().map(Draft::<Service>::sections);
    let key = sections.and_then(|sections| sections.shared.persons.as_ref().map(|persons| persons.key.clone()));
    let key = key.ok_or_else(|| {
        CommandError::Given("say under which key persons are known: --config FILE with [persons] key = \"FILE\" in it".to_owned())
    })?;
    let audit = sections.and_then(|sections| sections.audit.as_ref());
    let node = audit.and_then(|audit| anchors::name_of(&audit.directory).ok().flatten()).unwrap_or_else(Uuid::nil);
    // Where it is not known who may be named, the command does not go on as if anybody might.
    let tests = sections.and_then(|sections| sections.test_numbers.clone());
    let tests =
        tests.ok_or_else(|| CommandError::Given("environment or test_numbers of the configuration cannot be read".to_owned()))?;
    Ok(Persons::new(database.clone(), Arc::new(PersonKeys::read(&key)?), node).of_tests(tests))
}

/// The node's own log, and the archive, as far as the configuration can be read.
fn logs(place: &Place, now: jiff::Timestamp) -> Option<Logs> {
    let draft = place.draft(now)?;
    let sections = draft.sections();
    let archive = sections.archive.clone().flatten().map(|archive| archive.at);
    Some(Logs { folder: sections.audit.as_ref()?.directory.clone(), archive, anchors: Vec::new() })
}

async fn show(database: &Database, numbers: &[i64], out: &mut impl Write) -> Result<(), CommandError> {
    let mut any = false;
    for number in numbers {
        for employment in shown::with_number(database, *number).await? {
            any = true;
            print(&employment, out)?;
        }
    }
    match any {
        true => Ok(()),
        false => Err(CommandError::Given("there is no such person".to_owned())),
    }
}

fn print(employment: &Shown, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}  {}  {}", employment.number, employment.home, employment.staff_number)?;
    for (field, value) in &employment.fields {
        writeln!(out, "    {:22} {value}", field.name())?;
    }
    match (employment.manager, employment.waits_for_manager) {
        (Some(manager), _) => writeln!(out, "    {:22} {manager}", "manager"),
        (None, true) => writeln!(out, "    {:22} not there yet", "manager"),
        (None, false) => Ok(()),
    }
}
