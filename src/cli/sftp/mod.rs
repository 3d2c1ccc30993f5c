//! `hjemmel sftp`: the server's host keys, and who hands files to whom, by which key and which order.

mod host_key;
mod monitor;
mod order;
#[cfg(test)]
mod tests;
mod user;

use std::io::{self, BufRead, Write};

use jiff::civil::Date;

use super::ask::NotAgreed;
use super::person::PersonError;
use super::place::{Place, PlaceError};
use crate::agreements::Store;
use crate::clock::Clock;
use crate::decisions::DecideError;
use crate::edge::sftp::host_keys::HostKeyError;
use crate::files::decide::FileDecideError;
use crate::files::key::NotAKey;
use crate::files::orders::OrderError;
use crate::files::users::{User, UserError, named};
use crate::store::StoreError;

/// The SFTP service: its host keys, its users with their keys, and route orders.
///
/// A user is an it-system, known by its public keys; it has the two folders IN and OUT. A route order says from whom to whom
/// files go, on what legal basis: it is the agreement for files, requested by the recipient's side and approved by a signatory of
/// the recipient's authority. Each decision is recorded in the audit's chain.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel sftp user add KY_SIMPELSFTP --system 72393598-70fe-467f-b68c-65643e5c5e90 \\
    --cvr 11111111 --reason \"case 7\" --config hjemmel.toml
  hjemmel sftp key add KY_SIMPELSFTP ky.pub --label prod --reason \"case 7\" \\
    --config hjemmel.toml
  hjemmel sftp order request --from KY_SIMPELSFTP --to OPUS_SIMPELSFTP \\
    --inf-ref SF1590_A_IF02-03 --sender-authority 11111111 \\
    --recipient-authority 11111111 --legal-basis \"Bogføringsloven § 6\" \\
    --purpose \"Bogføring\" --certificate s.pem --key s.key.pem \\
    --reason \"case 7\" --config hjemmel.toml
  hjemmel sftp order approve ID --certificate a.pem --key a.key.pem \\
    --reason \"case 7\" --config hjemmel.toml")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The keys by which clients know the server
    #[command(subcommand)]
    HostKey(host_key::HostKey),
    /// Users: add, list, show, disable, change
    #[command(subcommand)]
    User(user::User),
    /// Their keys: add, list, disable
    #[command(subcommand)]
    Key(user::Key),
    /// Route orders: request, list, show, decide
    #[command(subcommand)]
    Order(order::Order),
    /// Monitoring orders: rhythm, alarm and clean-up of a user's files
    #[command(subcommand)]
    Monitor(monitor::Monitor),
}

/// Why the command did not do as asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
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
    /// It may not be decided, or cannot be so.
    #[error(transparent)]
    Decide(#[from] FileDecideError),
    #[error(transparent)]
    Order(#[from] OrderError),
    /// What is shown was not agreed to.
    #[error(transparent)]
    NotAgreed(#[from] NotAgreed),
    #[error(transparent)]
    User(#[from] UserError),
    #[error("{path}: {error}")]
    Key {
        /// The file.
        path: String,
        error: NotAKey,
    },
    /// A file, or the output.
    #[error("{}", crate::cli::file::describe(std::path::Path::new(path), error))]
    File {
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The server's own keys.
    #[error(transparent)]
    HostKey(HostKeyError),
    /// The day of an announcement.
    #[error("{0} has begun; a host key is announced from a day that is ahead, so that clients can be given it before")]
    NotAhead(Date),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl From<DecideError> for CommandError {
    fn from(error: DecideError) -> Self {
        Self::Decide(error.into())
    }
}

/// Runs the command, and writes what it has to say to `out`. `operator` answers where it asks; none where there is no terminal.
///
/// # Errors
/// [`CommandError`].
pub async fn run(
    args: Args,
    clock: &Clock,
    operator: Option<&mut dyn BufRead>,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match args.command {
        Command::HostKey(command) => host_key::run(command, &args.place, clock, out).await,
        Command::User(command) => user::run(command, &args.place, clock, out).await,
        Command::Key(command) => user::run_key(command, &args.place, clock, out).await,
        Command::Order(command) => order::run(command, &args.place, clock, operator, out).await,
        Command::Monitor(command) => monitor::run(command, &args.place, clock, out).await,
    }
}

async fn user_named(store: &Store, name: &str) -> Result<User, CommandError> {
    let found = named(&mut store.database().session().await?, name).await?;
    Ok(found.ok_or_else(|| UserError::NoSuchUser(name.to_owned()))?)
}
