//! `hjemmel objects`: the keys of the object store, and what the store is good for.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::node;
use crate::objects::keys;

/// The object store: where contents of files lie, encrypted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel objects key /etc/hjemmel/content.key
  hjemmel objects check --config hjemmel.toml

[objects] in the configuration says where the store is: a folder, or a bucket of
an S3-compatible store. Each content is encrypted under a key of its own, which is
sealed with the installation's content key and kept in the database. Keep a copy
of the content key apart from both: without it no content can be read.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make the installation's content key in a file that is not there yet
    ///
    /// To replace a key make another, name it as objects.key, and name the one before in objects.earlier_keys until no content is
    /// under it.
    Key {
        /// The file; readable by its owner alone
        file: PathBuf,
    },
    /// Ask the store whether it does what the gateway needs
    ///
    /// A few objects of some bytes are written, read, listed and deleted again. Also told: what stores differ in.
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Carries out the command.
///
/// # Errors
/// A file that cannot be made or read, a wrong configuration, a store that does not do what is needed.
pub async fn run(args: &Args, clock: &Clock) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match &args.command {
        Command::Key { file } => {
            keys::generate(file)?;
            println!("{} holds a new content key. Keep a copy apart from the store and the database.", file.display());
        }
        Command::Check { config } => {
            let Some(settings) = node::load(config, clock)?.objects else {
                return Err(format!("{} has no [objects]; deploy/hjemmel.example.toml shows one", config.display()).into());
            };
            let objects = settings.open()?;
            println!("{}: {}.", settings.place, objects.probe().await?);
        }
    }
    Ok(())
}
