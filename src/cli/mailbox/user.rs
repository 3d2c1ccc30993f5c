//! `hjemmel mailbox user`.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{CommandError, Who, asked};
use crate::agreements::rules::Rules;
use crate::agreements::{Store, Thumbprint};
use crate::cli::place::with_store;
use crate::clock::Clock;
use crate::decisions::{Because, By};
use crate::files::home::Fingerprint;
use crate::files::key::PublicKey;
use crate::files::partner::request::{self, Wanted};
use crate::files::partner::users::{self, Right, User as Known};
use crate::signature::credentials::certificates_from_pem_file;
use crate::store::{Access, Settings};

#[derive(Debug, clap::Subcommand)]
pub(super) enum User {
    /// Ask for a user: a system with a certificate, an SSH key, or both
    Create {
        /// Its name, exactly so from then on
        name: String,
        #[command(flatten)]
        by: KnownBy,
        /// What it may do on an agreement, as PA85858=fetch,deliver; once for each agreement
        #[arg(long = "right", value_name = "RIGHT", required = true)]
        rights: Vec<Right>,
        /// The first instant at which it may no longer be used
        #[arg(long, value_name = "INSTANT")]
        valid_to: Option<Timestamp>,
        #[command(flatten)]
        who: Who,
    },
    /// List users: where each stands, when it was last seen, what it may do
    List,
    /// Show one
    Show {
        /// Its name
        name: String,
    },
    /// Block one at once; a second person unblocks it
    Block(One),
    /// Ask that a blocked one may be used again
    Unblock(One),
    /// Ask for another certificate or key; those of the kind that it has end when it is approved
    NewKey {
        /// Its name
        name: String,
        #[command(flatten)]
        by: KnownBy,
        #[command(flatten)]
        who: Who,
    },
    /// Ask for other rights
    Rights {
        /// Its name
        name: String,
        /// What it may do on an agreement, as PA85858=fetch or PA85858=none; once for each agreement
        #[arg(long = "right", value_name = "RIGHT", required = true)]
        rights: Vec<Right>,
        #[command(flatten)]
        who: Who,
    },
    /// Ask that one is deleted
    Delete(One),
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct KnownBy {
    /// The system's certificate (PEM), for the API and `hjemmel mailbox`
    #[arg(long, value_name = "FILE")]
    system_certificate: Option<PathBuf>,
    /// The system's public SSH key (the .pub file), for SFTP
    #[arg(long, value_name = "FILE")]
    system_key: Option<PathBuf>,
}

impl KnownBy {
    fn read(self) -> Result<(Option<Thumbprint>, Option<Fingerprint>), CommandError> {
        let key = |path: PathBuf| -> Result<Fingerprint, CommandError> {
            let text = std::fs::read_to_string(&path).map_err(|error| CommandError::File { path: path.clone(), error })?;
            let key: PublicKey = text.parse().map_err(|error| CommandError::Key { path, error })?;
            Ok(key.fingerprint())
        };
        Ok((self.system_certificate.map(|path| certificate(&path)).transpose()?, self.system_key.map(key).transpose()?))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// Its name
    name: String,
    #[command(flatten)]
    who: Who,
}

fn certificate(file: &Path) -> Result<Thumbprint, CommandError> {
    let chain = certificates_from_pem_file(file)?;
    Ok(chain.first().map(|leaf| Thumbprint::of_der(leaf)).ok_or(crate::files::partner::users::UserError::Name)?)
}

/// A user in a line.
pub(super) fn describe(user: &Known, right: Option<Right>) -> String {
    let seen = user.seen.map_or("never seen".to_owned(), |at| format!("seen {at}"));
    let rights = user.rights.iter().filter(|own| right.is_none_or(|right| right == **own)).map(|right| {
        let may = [(right.fetches, "fetch"), (right.delivers, "deliver")];
        let may: Vec<_> = may.into_iter().filter(|(may, _)| *may).map(|(_, word)| word).collect();
        format!("{}={}", right.number, may.join(","))
    });
    let to = user.valid_to.map_or(String::new(), |to| format!("  until {to}"));
    format!("{}  {}  {seen}{to}  {}", user.name, user.standing.name(), rights.collect::<Vec<_>>().join(" "))
}

pub(super) async fn run(command: User, settings: &Settings, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let (wanted, who) = match command {
        User::Create { name, by, rights, valid_to, who } => {
            let (certificate, key) = by.read()?;
            (Wanted::User { name, certificate, key, valid_to, rights }, who)
        }
        User::Unblock(One { name, who }) => (Wanted::Unblock(name), who),
        User::NewKey { name, by, who } => {
            let (certificate, key) = by.read()?;
            (Wanted::NewKey { name, certificate, key }, who)
        }
        User::Rights { name, rights, who } => (Wanted::Rights { name, rights }, who),
        User::Delete(One { name, who }) => (Wanted::Delete(name), who),
        User::Block(One { name, who }) => {
            let (signer, because) = (who.person.signer()?, Because::new(who.reason, clock.now()));
            let block = async |store: &Store| -> Result<(), CommandError> {
                request::block(store, By::Key(&signer), &name, &because, None).await?;
                Ok(())
            };
            with_store(settings, Access::Change, block).await?;
            writeln!(out, "mailbox user {name} is blocked, from its next request on")?;
            return Ok(());
        }
        User::List => {
            let list = async |store: &Store| -> Result<_, CommandError> {
                Ok(users::all(&mut store.database().session().await?).await?)
            };
            let all = with_store(settings, Access::Look, list).await?;
            if all.is_empty() {
                writeln!(out, "There are no mailbox users. Ask for one with `hjemmel mailbox user create`.")?;
            }
            for user in all {
                writeln!(out, "{}", describe(&user, None))?;
            }
            return Ok(());
        }
        User::Show { name } => {
            let show = async |store: &Store| -> Result<_, CommandError> {
                Ok(users::known(&mut store.database().session().await?, &name).await?)
            };
            let user = with_store(settings, Access::Look, show).await?;
            writeln!(out, "{}", describe(&user, None))?;
            for certificate in &user.certificates {
                writeln!(out, "  certificate {certificate}")?;
            }
            for key in &user.keys {
                writeln!(out, "  key {key}")?;
            }
            return Ok(());
        }
    };
    asked((settings, &Rules::default()), wanted, who, clock, out).await
}
