//! `hjemmel console`: how an operator gets into the console where no identity provider logs people on.

use std::io::{self, Write};
use std::path::PathBuf;

use uuid::Uuid;

use super::place::with_store;
use crate::agreements::Store;
use crate::clock::Clock;
use crate::config::OneTimeLinks;
use crate::console::guard::Origin;
use crate::node::{self, ServeError};
use crate::store::{Access, StoreError};
use crate::users::sessions::{LINK_HOLDS, OpenError};

/// The console: pages for people, where `[console] address` is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel user list --config hjemmel.toml
  hjemmel console link --config hjemmel.toml --user 0193a1b0-0000-7000-8000-000000000000")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a link by which one of the gateway's operators logs on once, within ten minutes, from this machine
    Link {
        /// The gateway's configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The user, a person with a role of the operators; `hjemmel user list` names them
        #[arg(long, value_name = "ID")]
        user: Uuid,
    },
}

/// Why no link was made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum ConsoleError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] Box<ServeError>),
    /// There is no console.
    #[error("[console] address is not set in the configuration: there is no console to log on to")]
    NoConsole,
    /// One logs on otherwise.
    #[error("[console] one_time_links is \"off\": people log on by the identity provider")]
    Off,
    /// The user may not.
    #[error(
        "a link is for a person who is one of the gateway's operators, and whose time has begun and not ended; `hjemmel user list` names them"
    )]
    NotAllowed,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Carries out the command.
///
/// # Errors
/// [`ConsoleError`]; no link was made then.
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<(), ConsoleError> {
    let Command::Link { config, user } = args.command;
    let config = node::load(&config, clock).map_err(Box::new)?;
    let address = config.console.address.ok_or(ConsoleError::NoConsole)?;
    let any_role = match config.console.one_time_links {
        OneTimeLinks::Off => return Err(ConsoleError::Off),
        links => links == OneTimeLinks::Everybody,
    };
    let origin = config.console.public_url.as_ref().map_or_else(|| Origin::loopback(address), Origin::public);
    let make = async |store: &Store| -> Result<_, ConsoleError> {
        store.make_link(user, any_role, LINK_HOLDS, clock.now()).await.map_err(|error| match error {
            OpenError::Store(error) => error.into(),
            OpenError::NotAllowed | OpenError::Link => ConsoleError::NotAllowed,
        })
    };
    let secret = with_store(&config.store, Access::Change, make).await?;
    writeln!(out, "{}/link/{}", origin.url(), secret.reveal())?;
    writeln!(out, "It logs on once, within ten minutes, from this machine. Whoever has it is that user: give it to nobody.")?;
    Ok(())
}
