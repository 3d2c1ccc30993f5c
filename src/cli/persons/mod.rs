//! `hjemmel persons`: persons who are handed on to Campus.

mod adopt;
mod queue;

use std::io::{self, Write};
use std::process::ExitCode;

use super::person::PersonError;
use super::place::{Place, PlaceError};
use crate::clock::Clock;
use crate::config::Report;
use crate::outbound::SetupError;
use crate::persons::campus::adopt::AdoptError;
use crate::persons::campus::queue::QueueError;
use crate::store::StoreError;

/// Persons who are handed on to Campus.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
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
    /// What waits to be handed on, and what Campus refuses: show, try again, drop
    #[command(subcommand)]
    Queue(queue::Command),
    /// Match users who are in Campus already with persons, so that nobody is created a second time
    ///
    /// FILE is CSV with the header InstitutionsID1;Medarbejdernummer;Brugernavn. The persons must have been imported. Run it before
    /// a gateway with [campus] serves, or what waits creates users whose names are taken, which Campus refuses. The same file again
    /// goes on where it ended.
    Adopt(adopt::Adopt),
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
    /// Who decides.
    #[error(transparent)]
    Person(#[from] PersonError),
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
    /// A file cannot be read.
    #[error("{}: {cause}", file.display())]
    File {
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Carries out the command.
///
/// # Errors
/// [`CommandError`].
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    match args.command {
        Command::Queue(command) => queue::run(&args.place, command, clock, out).await.map(|()| ExitCode::SUCCESS),
        Command::Adopt(command) => adopt::run(&args.place, command, clock, out).await,
    }
}
