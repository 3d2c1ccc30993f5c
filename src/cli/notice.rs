//! `hjemmel notice`: the letters that wait or were given up.

use std::io::{self, Write};

use super::place::{Place, PlaceError, with_store};
use crate::clock::Clock;
use crate::notices::outbox::{Waiting, jobs};
use crate::store::jobs::JobError;
use crate::store::{Access, StoreError};

/// Notices by mail: what waits to be sent, and what was given up.
///
/// A letter is tried for half a day, later each time; one that the mail server refuses for good is given up at once. Who is told of
/// what by role stands in docs/operations.md; `hjemmel user mail` says where a user is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the letters that are not sent, and why each failed last
    List,
    /// Try a letter anew that was given up
    Retry {
        /// Its number
        number: i64,
    },
    /// Drop a letter that was given up
    Discard {
        /// Its number
        number: i64,
    },
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is not known where the store is.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such letter.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// The most that are listed.
const MOST: u32 = 1000;

/// Runs the command, and writes what it has to say to `out`.
///
/// # Errors
/// [`CommandError`]; nothing was changed then.
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let settings = args.place.settings(clock.now())?;
    match args.command {
        Command::List => {
            let open = with_store::<_, CommandError>(&settings, Access::Look, async |store| {
                Ok(jobs(store.database()).open(MOST).await?)
            });
            for letter in open.await? {
                let stands = if letter.dead { "given up" } else { "waiting" };
                let about = serde_json::from_slice::<Waiting>(&letter.payload).ok();
                let about = about.map_or("unreadable".to_owned(), |waiting| {
                    format!("{:?} {} to {}", waiting.notice.kind, waiting.notice.page, waiting.to)
                });
                let problem = letter.problem.unwrap_or_default();
                writeln!(out, "{}  {stands:8}  tried {}  {about}  {problem}", letter.id, letter.attempts)?;
            }
        }
        Command::Retry { number } => {
            let retry = async |store: &crate::agreements::Store| Ok(jobs(store.database()).retry(number).await?);
            with_store::<_, CommandError>(&settings, Access::Change, retry).await?;
            writeln!(out, "letter {number} is tried anew")?;
        }
        Command::Discard { number } => {
            let discard = async |store: &crate::agreements::Store| Ok(jobs(store.database()).discard(number).await?);
            with_store::<_, CommandError>(&settings, Access::Change, discard).await?;
            writeln!(out, "letter {number} is dropped")?;
        }
    }
    Ok(())
}
