//! `hjemmel persons import`: a file of any length, as many persons at a time as a call may have.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use uuid::Uuid;

use super::super::place::{Place, with_store};
use super::super::user::Decide;
use super::{CommandError, logs, persons};
use crate::agreements::Store;
use crate::audit::Subject;
use crate::audit::log::sha256_of;
use crate::clock::Clock;
use crate::decisions::record::What;
use crate::decisions::statement::Signer;
use crate::decisions::{Because, By, DecideError};
use crate::id::cvr::Cvr;
use crate::persons::campus::queue::operator;
use crate::persons::erase::replay;
use crate::persons::file::{FileError, Rows};
use crate::persons::{AT_ONCE, Import as Importing, ResultFile, Row, Scope, Status};
use crate::store::Access;

/// How many persons come between two lines of progress.
const PROGRESS: u64 = 10_000;

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The file: CSV or XML
    file: PathBuf,
    /// The authority whose persons they are
    #[arg(long, value_name = "CVR")]
    authority: Cvr,
    /// An institution (InstitutionsID1) that is covered; may be repeated
    #[arg(long, value_name = "ID", required = true)]
    institution: Vec<String>,
    /// Months after which a person who became inactive is erased; left out: as the agreement or the last import said
    #[arg(long, value_name = "MONTHS", value_parser = clap::value_parser!(u16).range(1..=1200))]
    erase_after: Option<u16>,
    /// Where the answers go, a file that is not there yet; FILE.result.csv unless given
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    #[command(flatten)]
    decide: Decide,
}

/// How many persons became what.
#[derive(Default)]
struct Counts {
    read: u64,
    by_status: [u64; Status::ALL.len()],
}

impl Counts {
    fn add(&mut self, status: Status) {
        self.read += 1;
        if let Some(place) = Status::ALL.iter().position(|known| *known == status)
            && let Some(count) = self.by_status.get_mut(place)
        {
            *count += 1;
        }
    }

    fn refused(&self) -> u64 {
        self.by_status.last().copied().unwrap_or_default()
    }

    fn describe(&self) -> String {
        let parts = Status::ALL.iter().zip(&self.by_status).map(|(status, count)| format!("{count} {}", status.name()));
        format!("{} persons: {}", self.read, parts.collect::<Vec<_>>().join(", "))
    }
}

/// That a file is imported, and by whom, as it stands in the store and in the audit's chain.
struct Told<'a> {
    id: Uuid,
    /// SHA-256 of the file.
    file: String,
    signer: Option<&'a Signer>,
    reason: &'a str,
    now: Timestamp,
}

impl Told<'_> {
    async fn write(&self, store: &Store, to: &str, counts: Option<&Counts>) -> Result<(), DecideError> {
        let counted = counts.map(|counts| format!(" ({})", counts.describe())).unwrap_or_default();
        let because = Because::new(format!("{}{counted}", self.reason), self.now);
        let (subject, shown) = (Subject::Person, Some(self.file.clone()));
        let what = What { subject, id: self.id, from: None, to: to.to_owned(), shown };
        let proven = operator(store, self.signer.map(By::Key), &what, &because).await?;
        let mut change = store.change().await?;
        change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, &because).await?;
        Ok(change.commit().await?)
    }
}

impl Import {
    pub(super) async fn run(self, place: &Place, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
        let now = clock.now();
        let name = self.file.display().to_string();
        let result = self.result.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.result.csv")));
        let signer = self.decide.signer()?;
        let opened = open(&self.file).await?;
        let file = self.file.clone();
        let digest = tokio::task::spawn_blocking(move || sha256_of(&file)).await.map_err(std::io::Error::other).flatten();
        let digest = digest.map_err(|cause| CommandError::File { file: self.file.clone(), cause })?;
        let settings = place.settings(now)?;
        let counts = with_store(&settings, Access::Change, async |store: &Store| -> Result<Counts, CommandError> {
            let persons = persons(place, store.database(), now)?;
            if let Some(logs) = logs(place, now)
                && !persons.node().is_nil()
            {
                replay::own(store.database(), persons.node(), &logs, clock).await?;
            }
            let answers = made(&result).map_err(|cause| CommandError::File { file: result.clone(), cause })?;
            let scope = Scope {
                authority: self.authority,
                institutions: self.institution.iter().cloned().collect(),
                times: None,
                erase_after_months: self.erase_after,
            };
            let (signer, reason) = (signer.as_ref(), self.decide.reason.as_str());
            let told = Told { id: Uuid::now_v7(), file: digest.clone(), signer, reason, now };
            // Before anybody is kept.
            told.write(store, "INDLAESES", None).await?;
            let (mut counts, mut answers) = (Counts::default(), ResultFile::new(BufWriter::new(answers))?);
            let progress = Progress { every: PROGRESS, tell: |line| eprintln!("{line}") };
            let all = import(persons.import(scope, now), opened, &mut answers, &mut counts, progress).await;
            let flushed = answers.finish().and_then(|mut file| file.flush());
            told.write(store, if all.is_ok() { "INDLAEST" } else { "AFBRUDT" }, Some(&counts)).await?;
            flushed?;
            match all {
                Err(Broke::Command(error)) => Err(error),
                Err(Broke::File(error)) => {
                    Err(CommandError::Rows { file: name.clone(), error, result: result.display().to_string() })
                }
                Ok(()) => Ok(counts),
            }
        });
        let counts = counts.await?;
        writeln!(out, "{}; each is answered in {}", counts.describe(), result.display())?;
        Ok(if counts.refused() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Why an import ended before the end of the file. What was before is imported.
enum Broke {
    Command(CommandError),
    File(FileError),
}

impl<E: Into<CommandError>> From<E> for Broke {
    fn from(error: E) -> Self {
        Self::Command(error.into())
    }
}

/// How far it has come, told on standard error.
struct Progress<F> {
    /// Every so many persons.
    every: u64,
    tell: F,
}

async fn import(
    mut import: Importing,
    opened: Rows<File>,
    answers: &mut ResultFile<BufWriter<File>>,
    counts: &mut Counts,
    mut progress: Progress<impl FnMut(String)>,
) -> Result<(), Broke> {
    let (mut rows, mut next) = some(opened).await?;
    loop {
        let batch = next.map_err(Broke::File)?;
        if batch.is_empty() {
            return Ok(());
        }
        // The next ones are read while these are imported.
        let (answered, read) = tokio::join!(import.batch(batch), some(rows));
        for answer in &answered? {
            answers.write(answer)?;
            counts.add(answer.status);
            if counts.read.is_multiple_of(progress.every) {
                (progress.tell)(counts.describe());
            }
        }
        (rows, next) = read?;
    }
}

async fn open(file: &Path) -> Result<Rows<File>, CommandError> {
    let (path, name) = (file.to_owned(), file.display().to_string());
    let opened = tokio::task::spawn_blocking(move || Rows::open(File::open(path).map_err(FileError::Io)?)).await;
    let opened = opened.map_err(std::io::Error::other).map_err(FileError::Io).flatten();
    opened.map_err(|error| CommandError::Given(format!("{name}: {error}")))
}

/// Reads some more, off the threads that serve.
async fn some(mut rows: Rows<File>) -> Result<(Rows<File>, Result<Vec<Row>, FileError>), CommandError> {
    let read = tokio::task::spawn_blocking(move || {
        let some = rows.some(AT_ONCE);
        (rows, some)
    });
    read.await.map_err(|error| CommandError::Output(std::io::Error::other(error)))
}

/// A file that was not there before, for its owner alone: who was refused for what.
fn made(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::persons::{PersonKeys, Persons};
    use crate::store::{Database, Settings};

    #[tokio::test]
    async fn how_far_an_import_has_come_is_told_every_so_many_persons() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(&Settings::sqlite(&dir.path().join("store.sqlite")), Access::Make).await.unwrap();
        let persons = Persons::new(database, Arc::new(PersonKeys::new(&[7; 32])), Uuid::nil());
        let header =
            "InstitutionsID1;InstitutionsID2;Kommunekode;CPRnummer;Medarbejdernummer;Koen;Fornavne;Efternavn;Email;Brugernavn";
        let row = |n: u32, sex: u32| format!("0701;1;101;610180{:04};1;{sex};Bo;Prøve;b{n}@institution.dk;b{n}", 1230 + n);
        let rows = [row(1, 1), row(2, 9), row(3, 1), row(4, 1), row(5, 1)].join("\n");
        let file = dir.path().join("medarbejdere.csv");
        std::fs::write(&file, format!("{header}\n{rows}\n")).unwrap();
        let scope = Scope {
            authority: "11111111".parse().unwrap(),
            institutions: ["0701".to_owned()].into(),
            times: None,
            erase_after_months: Some(6),
        };
        let mut answers = ResultFile::new(BufWriter::new(made(&dir.path().join("result.csv")).unwrap())).unwrap();
        let (mut counts, mut lines) = (Counts::default(), Vec::new());
        let progress = Progress { every: 2, tell: |line| lines.push(line) };
        let importing = persons.import(scope, crate::cli::as_user::now());
        let all = import(importing, open(&file).await.unwrap(), &mut answers, &mut counts, progress).await;
        assert!(all.is_ok());
        assert_eq!(
            lines,
            [
                "2 persons: 1 OPRETTET, 0 OPDATERET, 0 UAENDRET, 1 AFVIST",
                "4 persons: 3 OPRETTET, 0 OPDATERET, 0 UAENDRET, 1 AFVIST"
            ]
        );
    }
}
