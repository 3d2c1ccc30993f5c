//! `hjemmel mailbox`: partner agreements, the users that serve them, what two people decide on both, and how their files fare; and
//! for a scheduled job of a partner, fetching and delivering them.

mod agreement;
mod client;
mod moving;
mod request;
mod status;
#[cfg(test)]
mod tests;
mod user;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::person::{Person, PersonError};
use super::place::{Place, PlaceError, one_line, with_store};
use crate::agreements::Store;
use crate::agreements::rules::Rules;
use crate::clock::Clock;
use crate::decisions::{Because, By};
use crate::files::partner::agreement::AgreementError;
use crate::files::partner::request::{Request, RequestError, Wanted};
use crate::files::partner::users::UserError;
use crate::signature::credentials::CredentialsError;
use crate::signature::key::KeyError;
use crate::store::{Access, Settings, StoreError};

/// Mailboxes of partner agreements: the agreements, their users, and what is asked for and decided on both.
///
/// An agreement (PA and five digits) has aliases and data streams; a user is a system that delivers and fetches for one agreement or
/// many, known by its certificate. What one person asks for comes into force when a signatory of the authority, another person,
/// approves it. Suspending, closing and blocking take effect at once. Each decision is recorded in the audit's chain.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel mailbox agreement request --file PA85858.toml --certificate r.pem --key r.key.pem \\
    --reason \"sag 7\" --config hjemmel.toml
  hjemmel mailbox request list --config hjemmel.toml
  hjemmel mailbox request approve ID --certificate u.pem --key u.key.pem \\
    --reason \"sag 7\" --config hjemmel.toml
  hjemmel mailbox user create LOEN_4711 --system-certificate loen.pem \\
    --right PA85858=fetch,deliver --certificate r.pem --key r.key.pem \\
    --reason \"sag 7\" --config hjemmel.toml
  hjemmel mailbox status PA85858 --config hjemmel.toml
  hjemmel mailbox user block LOEN_4711 --certificate r.pem --key r.key.pem \\
    --reason \"nøglen er på afveje\" --config hjemmel.toml")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Partner agreements: request, list, show, suspend, resume, close
    #[command(subcommand)]
    Agreement(agreement::Agreement),
    /// Users: create, list, show, block, unblock, new certificate, rights, delete
    #[command(subcommand)]
    User(user::User),
    /// What was asked for: list, show, approve, reject, withdraw
    #[command(subcommand)]
    Request(request::Requests),
    Status(status::Status),
    Except(status::Except),
    /// List the streams on which nothing was exchanged within the agreed rhythm, each with its likely cause
    Silence,
    Fetch(Box<moving::Fetch>),
    Deliver(Box<moving::Deliver>),
}

/// Why the command did not do as asked. Nothing was changed, unless it says so.
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
    Request(#[from] RequestError),
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    #[error(transparent)]
    User(#[from] UserError),
    /// A certificate's file.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("--system-certificate: {0}")]
    Certificate(#[from] KeyError),
    /// TLS cannot be set up.
    #[error("--ca, --cert and --key: {0}")]
    Tls(#[from] rustls::Error),
    #[error("{}", crate::cli::file::describe(path, error))]
    File {
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A public key.
    #[error("{}: {error}", path.display())]
    Key {
        path: PathBuf,
        /// Why.
        error: crate::files::key::NotAKey,
    },
    #[error("{}: {error}", path.display())]
    Terms {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: toml::de::Error,
    },
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Who decides, and why.
#[derive(Debug, clap::Args)]
struct Who {
    #[command(flatten)]
    person: Person,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
}

/// Runs the command, and writes what it has to say to `out`.
///
/// # Errors
/// [`CommandError`].
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    // A partner has no store.
    let command = match args.command {
        Command::Fetch(fetch) => return moving::fetch(*fetch, out).await,
        Command::Deliver(deliver) => return moving::deliver(*deliver, out).await,
        command => command,
    };
    let settings = args.place.settings(clock.now())?;
    let rules = || args.place.rules(clock.now());
    match command {
        Command::Agreement(command) => agreement::run(command, (&settings, &rules()), clock, out).await?,
        Command::User(command) => user::run(command, &settings, clock, out).await?,
        Command::Request(command) => request::run(command, (&settings, &rules()), clock, out).await?,
        Command::Status(asked) => return status::status(asked, &settings, clock, out).await,
        Command::Except(asked) => return status::except(asked, &settings, clock, out).await,
        Command::Silence => return status::silent(&settings, clock, out).await,
        Command::Fetch(_) | Command::Deliver(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for something, and says what follows.
async fn asked(
    (settings, rules): (&Settings, &Rules),
    wanted: Wanted,
    who: Who,
    clock: &Clock,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let (signer, because) = (who.person.signer()?, Because::new(who.reason, clock.now()));
    let ask = async |store: &Store| -> Result<Request, CommandError> {
        Ok(crate::files::partner::request::request(store, rules, By::Key(&signer), wanted, &because, None).await?)
    };
    let Request { id, authority, .. } = with_store(settings, Access::Change, ask).await?;
    writeln!(out, "{id} is asked for; it comes into force when a signatory of {authority}, another person, approves it:")?;
    writeln!(out, "  hjemmel mailbox request approve {id}")?;
    Ok(())
}
