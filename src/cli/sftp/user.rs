//! `hjemmel sftp user` and `hjemmel sftp key`.

use std::io::Write;
use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::{CommandError, user_named};
use crate::agreements::Environment;
use crate::cli::place::{Place, one_line, with_store};
use crate::cli::user::Decide;
use crate::clock::Clock;
use crate::decisions::{Because, By};
use crate::files::decide;
use crate::files::home::Fingerprint;
use crate::files::key::PublicKey;
use crate::files::users::{self, Changed, Used, UserError};
use crate::id::cvr::Cvr;
use crate::store::Access;
use crate::store::value::to_microsecond;

#[derive(Debug, clap::Subcommand)]
pub(super) enum User {
    /// Add a user; it can log on once it has a key
    Add(Box<Add>),
    /// List users: whose each is, and when it last logged on
    List,
    /// Show one user, its keys and what lies in its home
    Show {
        /// Its name
        name: String,
    },
    /// Change a user: its root of metadata, its quota, its end
    Change {
        /// Its name
        name: String,
        /// Whether its metadata has the root `Trigger`, for clients that know no `FileMetadata`
        #[arg(long, value_name = "true|false")]
        older_root: Option<bool>,
        /// How much may lie in its home, in bytes
        #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..=i64::MAX as u64))]
        quota: Option<u64>,
        /// The first instant at which it may no longer log on
        #[arg(long, value_name = "INSTANT")]
        to: Option<Timestamp>,
        #[command(flatten)]
        decide: Decide,
    },
    /// Disable a user: it cannot log on, and nothing is delivered to it
    Disable {
        /// Its name
        name: String,
        #[command(flatten)]
        decide: Decide,
    },
    /// Enable a user again
    Enable {
        /// Its name
        name: String,
        #[command(flatten)]
        decide: Decide,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// Its name, exactly as triggers have it: 1-255 of A-Z, a-z, 0-9, _, . and -
    name: String,
    /// The UUID of its it-system
    #[arg(long, value_name = "UUID")]
    system: Uuid,
    /// The CVR number of the authority or the company that answers for it
    #[arg(long, value_name = "CVR")]
    cvr: Cvr,
    /// The environment; that of --config unless given
    #[arg(long, value_name = "NAME", value_parser = |text: &str| text.parse::<Environment>())]
    environment: Option<Environment>,
    /// How much may lie in its home, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 10_000_000_000, value_parser = clap::value_parser!(u64).range(1..=i64::MAX as u64))]
    quota: u64,
    /// Its metadata has the root `Trigger`, for clients that know no `FileMetadata`
    #[arg(long)]
    older_root: bool,
    /// The first instant at which it may no longer log on
    #[arg(long, value_name = "INSTANT")]
    to: Option<Timestamp>,
    #[command(flatten)]
    decide: Decide,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Key {
    /// Give a user a public key; it may have several while one replaces another
    Add {
        /// The user's name
        name: String,
        /// The .pub file
        file: PathBuf,
        /// What it is called
        #[arg(long, value_name = "TEXT", value_parser = one_line)]
        label: String,
        /// The first instant at which it may no longer be used
        #[arg(long, value_name = "INSTANT")]
        to: Option<Timestamp>,
        #[command(flatten)]
        decide: Decide,
    },
    /// List a user's keys: fingerprint, label, end, and when each was last used
    List {
        /// The user's name
        name: String,
    },
    /// Disable a user's key: sessions that it opened end
    Disable {
        /// The user's name
        name: String,
        /// Its fingerprint, as `key list` and `ssh-keygen -l` show it
        #[arg(value_parser = |text: &str| text.parse::<Fingerprint>().map_err(|()| "a fingerprint is SHA256: and 43 characters"))]
        fingerprint: Fingerprint,
        #[command(flatten)]
        decide: Decide,
    },
}

pub(super) async fn run(command: User, place: &Place, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let now = clock.now();
    let settings = place.settings(now)?;
    match command {
        User::Add(add) => {
            let environment = place.environment(add.environment)?;
            let user = users::User {
                id: Uuid::new_v4(),
                name: add.name,
                environment,
                system: add.system,
                authority: add.cvr,
                older_root: add.older_root,
                bytes_limit: add.quota,
                disabled: false,
                valid_to: add.to.map(to_microsecond),
                seen: None,
                refused: None,
                used: Used::default(),
            };
            let (signer, because) = (add.decide.signer()?, Because::new(add.decide.reason, now));
            with_store::<_, CommandError>(&settings, Access::Make, async |store| {
                Ok(decide::add_user(store, signer.as_ref().map(By::Key), &user, &because).await?)
            })
            .await?;
            writeln!(out, "added SFTP user {} ({}); give it a key with `hjemmel sftp key add`", user.name, user.id)?;
        }
        User::List => {
            let list = async |store: &crate::agreements::Store| -> Result<_, CommandError> {
                Ok(users::all(&mut store.database().session().await?).await?)
            };
            let users = with_store(&settings, Access::Look, list).await?;
            if users.is_empty() {
                writeln!(out, "There are no SFTP users. Add one with `hjemmel sftp user add`.")?;
            }
            for user in users {
                let seen = user.seen.map_or("never".to_owned(), |at| at.to_string());
                let open = if user.is_open(now) { "" } else { "  (cannot log on)" };
                writeln!(out, "{:30}  {}  {:8}  last seen {seen}{open}", user.name, user.authority, user.environment)?;
            }
        }
        User::Show { name } => {
            let show = async |store: &crate::agreements::Store| {
                let user = user_named(store, &name).await?;
                let keys = users::keys(&mut store.database().session().await?, user.id).await?;
                Ok::<_, CommandError>((user, keys))
            };
            let (user, keys) = with_store(&settings, Access::Look, show).await?;
            writeln!(out, "id            {}", user.id)?;
            writeln!(out, "name          {}", user.name)?;
            writeln!(out, "environment   {}", user.environment)?;
            writeln!(out, "it-system     {}", user.system)?;
            writeln!(out, "answers       {}", user.authority)?;
            writeln!(out, "metadata      {}", if user.older_root { "Trigger (older)" } else { "FileMetadata" })?;
            writeln!(out, "home          {} files, {} of {} bytes", user.used.files, user.used.bytes, user.bytes_limit)?;
            writeln!(out, "last seen     {}", user.seen.map_or("never".to_owned(), |at| at.to_string()))?;
            writeln!(out, "to            {}", user.valid_to.map_or("no end".to_owned(), |to| format!("{to} (not included)")))?;
            writeln!(out, "state         {}", if user.is_open(now) { "open" } else { "cannot log on" })?;
            print_keys(&keys, now, out)?;
        }
        User::Change { name, older_root, quota, to, decide } => {
            let changed = Changed { disabled: None, older_root, bytes_limit: quota, valid_to: to.map(to_microsecond) };
            change(&settings, &name, &changed, decide, now).await?;
            writeln!(out, "changed SFTP user {name}")?;
        }
        User::Disable { name, decide } => {
            change(&settings, &name, &Changed { disabled: Some(true), ..Changed::default() }, decide, now).await?;
            writeln!(out, "disabled SFTP user {name}; its sessions end with their next operation")?;
        }
        User::Enable { name, decide } => {
            change(&settings, &name, &Changed { disabled: Some(false), ..Changed::default() }, decide, now).await?;
            writeln!(out, "enabled SFTP user {name}")?;
        }
    }
    Ok(())
}

async fn change(
    settings: &crate::store::Settings,
    name: &str,
    changed: &Changed,
    decide: Decide,
    now: Timestamp,
) -> Result<(), CommandError> {
    let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
    with_store(settings, Access::Change, async |store| {
        let user = user_named(store, name).await?;
        Ok(decide::change_user(store, signer.as_ref().map(By::Key), &user, changed, &because).await?)
    })
    .await
}

pub(super) async fn run_key(command: Key, place: &Place, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let now = clock.now();
    let settings = place.settings(now)?;
    match command {
        Key::Add { name, file, label, to, decide } => {
            let path = file.display().to_string();
            let text = std::fs::read_to_string(&file).map_err(|error| CommandError::File { path: path.clone(), error })?;
            let key: PublicKey = text.parse().map_err(|error| CommandError::Key { path, error })?;
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                let (user, by) = (user_named(store, &name).await?, signer.as_ref().map(By::Key));
                Ok(decide::add_key(store, by, &user, &key, &label, to.map(to_microsecond), &because).await?)
            })
            .await?;
            writeln!(out, "{name} may log on with {}", key.fingerprint())?;
        }
        Key::List { name } => {
            let list = async |store: &crate::agreements::Store| {
                let user = user_named(store, &name).await?;
                Ok::<_, CommandError>(users::keys(&mut store.database().session().await?, user.id).await?)
            };
            let keys = with_store(&settings, Access::Look, list).await?;
            if keys.is_empty() {
                writeln!(out, "{name} has no key. Give it one with `hjemmel sftp key add`.")?;
            }
            print_keys(&keys, now, out)?;
        }
        Key::Disable { name, fingerprint, decide } => {
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                let user = user_named(store, &name).await?;
                let known = users::keys(&mut store.database().session().await?, user.id).await?;
                if !known.iter().any(|key| key.fingerprint == fingerprint) {
                    return Err(UserError::NoSuchKey(fingerprint.to_string()).into());
                }
                Ok(decide::disable_key(store, signer.as_ref().map(By::Key), &user, fingerprint, &because).await?)
            })
            .await?;
            writeln!(out, "disabled the key {fingerprint} of {name}; its sessions end with their next operation")?;
        }
    }
    Ok(())
}

fn print_keys(keys: &[users::Key], now: Timestamp, out: &mut impl Write) -> std::io::Result<()> {
    for key in keys {
        let state = match key.valid_to {
            _ if key.disabled => "disabled".to_owned(),
            Some(to) if to <= now => format!("expired {to}"),
            Some(to) => format!("until {to}"),
            None => "no end".to_owned(),
        };
        let seen = key.seen.map_or("never".to_owned(), |at| at.to_string());
        writeln!(out, "key           {}  {state}  last used {seen}  {}", key.fingerprint, key.label)?;
    }
    Ok(())
}
