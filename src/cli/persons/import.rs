//! `hjemmel persons import`: a file of any length, as many persons at a time as a call may have.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use uuid::Uuid;

use super::super::place::{Place, one_line, with_store};
use super::{CommandError, persons};
use crate::agreements::Store;
use crate::audit::Subject;
use crate::decisions::Because;
use crate::decisions::record::What;
use crate::id::cvr::Cvr;
use crate::persons::file::{FileError, Rows};
use crate::persons::{AT_ONCE, ResultFile, Row, Scope, Status, erase};
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
    /// Months after which a person who became inactive is erased; left out: not by itself
    #[arg(long, value_name = "MONTHS", value_parser = clap::value_parser!(u16).range(1..=1200))]
    erase_after: Option<u16>,
    /// Where the answers go, a file that is not there yet; FILE.result.csv unless given
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
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

    fn told(&self) -> String {
        let parts = Status::ALL.iter().zip(&self.by_status).map(|(status, count)| format!("{count} {}", status.name()));
        format!("{} persons: {}", self.read, parts.collect::<Vec<_>>().join(", "))
    }
}

impl Import {
    pub(super) async fn run(self, place: &Place, now: Timestamp, out: &mut impl Write) -> Result<ExitCode, CommandError> {
        let name = self.file.display().to_string();
        let result = self.result.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.result.csv")));
        let opened = open(&self.file).await?;
        let settings = place.settings(now)?;
        let counts = with_store(&settings, Access::Change, async |store: &Store| -> Result<Counts, CommandError> {
            let persons = persons(place, store.database(), now)?;
            if let Some(audit) =
                place.draft(now).and_then(|draft| draft.sections().audit.as_ref().map(|audit| audit.directory.clone()))
            {
                erase::again(store.database(), persons.node(), &audit, now).await?;
            }
            let answers = made(&result).map_err(|cause| CommandError::File { file: result.clone(), cause })?;
            let scope = Scope {
                authority: self.authority,
                institutions: self.institution.iter().cloned().collect(),
                times: None,
                erase_after_months: self.erase_after,
            };
            let mut counts = Counts::default();
            let mut import = persons.import(scope, now);
            let mut answers = ResultFile::new(BufWriter::new(answers))?;
            let (mut rows, mut next) = some(opened).await?;
            let ended = loop {
                let batch = match next {
                    Ok(batch) if batch.is_empty() => break Ok(()),
                    Ok(batch) => batch,
                    Err(error) => break Err(error),
                };
                // The next ones are read while these are imported.
                let (answered, read) = tokio::join!(import.batch(batch), some(rows));
                for answer in &answered? {
                    answers.write(answer)?;
                    counts.add(answer.status);
                    if counts.read % PROGRESS == 0 {
                        eprintln!("{}", counts.told());
                    }
                }
                (rows, next) = read?;
            };
            let mut file = answers.finish()?;
            file.flush()?;
            if counts.read > 0 {
                let because = Because::new(format!("{} ({})", self.reason, counts.told()), now);
                let what =
                    What { subject: Subject::Person, id: Uuid::now_v7(), from: None, to: "INDLAEST".to_owned(), shown: None };
                let mut change = store.change().await?;
                change.made_by(None, &what, &because).await?;
                change.commit().await?;
            }
            let told = |error| CommandError::Rows { file: name.clone(), error, result: result.display().to_string() };
            ended.map(|()| counts).map_err(told)
        });
        let counts = counts.await?;
        writeln!(out, "{}; each is answered in {}", counts.told(), result.display())?;
        Ok(if counts.refused() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
