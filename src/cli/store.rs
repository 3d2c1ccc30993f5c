//! `hjemmel store`: the store itself, whatever is in it: its schema, its copies, and its way to another database.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::person::{Person, PersonError};
use super::place::{Place, PlaceError, one_line};
use crate::agreements::Store;
use crate::clock::Clock;
use crate::config::store_of;
use crate::decisions::{Because, By, DecideError, restored};
use crate::hex;
use crate::services::Service;
use crate::store::{Access, At, Database, Schema, Settings, StoreError, TableDigest, copies, moving, schema};

/// The store: one SQLite file, or a PostgreSQL database that several nodes share.
///
/// Agreements, routes and whatever else the gateway keeps are in it; the audit log, keys and contents of files are not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel store status --config hjemmel.toml
  hjemmel store backup /backup/store-2026-11-29.sqlite --config hjemmel.toml
  hjemmel store restore /backup/store-2026-11-29.sqlite --reason \"disk lost\" \\
    --certificate jensen.pem --key jensen.key.pem --config hjemmel.toml
  hjemmel store move --config hjemmel.toml --to hjemmel-postgres.toml

A PostgreSQL store is copied by its own tools, for instance:
  pg_dump --format=custom --file=store.dump \"host=db.example dbname=hjemmel\"
  pg_restore --clean --if-exists --single-transaction --dbname=hjemmel store.dump
  hjemmel store restored --reason \"disk lost\" --certificate jensen.pem \\
    --key jensen.key.pem --config hjemmel.toml

docs/operations.md, \"The store\", says when to do which.")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring the schema up to date, as `hjemmel serve` does when it starts
    ///
    /// For who owns the database, where the gateway's own user may not change tables. Gateways of the release before go on;
    /// one that is started again afterwards is told to use this release.
    Migrate,
    /// Say what the store is, how far its schema is, how much is in it, and whether it was restored
    ///
    /// Exits 0 where this release can use it as it is, and 1 where its schema is still to be brought up to date.
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy an SQLite store to a file that is not there yet; the gateway may run
    ///
    /// The copy holds what was committed when it began, is readable by its owner alone, and is checked whole.
    Backup {
        /// The copy
        file: PathBuf,
    },
    /// Put a copy in the place of an SQLite store; the gateway must be stopped
    ///
    /// The copy is checked whole, and what it lacks is listed first: an agreement that was ended since it was made would open
    /// again. Where there is such a thing, or the present store cannot be read to know it, --as-of says that you accept it. The
    /// store that was there is kept beside it. Messages created before the restore are refused as possible replays.
    Restore {
        /// The copy
        file: PathBuf,
        #[command(flatten)]
        accept: Accept,
        /// Accept what the copy lacks: the instant up to which it has decisions, as this command told it
        #[arg(long, value_name = "INSTANT")]
        as_of: Option<Timestamp>,
    },
    /// Accept a store that was put back by other means: `pg_restore`, a snapshot of a disk, a file that was copied over it
    ///
    /// Until then a gateway that has seen it further on does not start on it, and one that serves refuses calls. The memory against
    /// replay begins anew. It stands in the audit log, and is told by `status` and in the log at each start.
    Restored {
        #[command(flatten)]
        accept: Accept,
    },
    /// Move an SQLite store to an empty PostgreSQL database: all of it, compared, or nothing
    ///
    /// Stop the gateway first: what is decided afterwards is not moved. Each table is compared by a digest of its rows before
    /// anything counts. The memory against replay is not moved: the new store refuses messages created before it began.
    Move {
        /// The configuration whose [store] is the PostgreSQL database
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

/// Why, and by whom.
#[derive(Debug, clap::Args)]
struct Accept {
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
    /// The certificate (PEM) of the operator who accepts the store, a user of it; left out: whoever holds the store, which is
    /// recorded as such
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key (PEM), which signs it
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Gone: a name proves nobody
    #[arg(long, value_name = "NAME", hide = true)]
    by: Option<String>,
}

impl Accept {
    /// Accepts a store, which is brought up to date.
    async fn of(&self, settings: &Settings, now: Timestamp) -> Result<(), CommandError> {
        let signer = match (&self.by, &self.certificate) {
            (Some(_), _) => return Err(CommandError::ByIsGone),
            (None, Some(_)) => Some(Person::of(&self.certificate, &self.key).signer()?),
            (None, None) => None,
        };
        let store = Store::open_to(Access::Change, settings).await?;
        let because = Because::new(self.reason.clone(), now);
        let accepted = restored::accept(&store, signer.as_ref().map(By::Key), &because).await;
        store.close().await;
        Ok(accepted?)
    }

    fn describe(&self) -> &'static str {
        match self.certificate {
            Some(_) => "signed by the operator whose certificate was named",
            None => "by whoever holds the store, for no certificate was named",
        }
    }
}

/// Why the command ends without having done it.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Where the store is.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The command is not for this database.
    #[error("{0}")]
    OtherDatabase(&'static str),
    /// A name in place of a key.
    #[error(
        "--by is gone, as a name proves nobody: sign with --certificate FILE --key FILE, those of an operator; or leave them out, which is recorded as whoever holds the store"
    )]
    ByIsGone,
    /// The key and certificate of whoever accepts it.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// It was not accepted.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// What a copy lacks was not accepted.
    #[error("nothing was restored: {0}")]
    NotAccepted(String),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Runs the command. Whether all is as it should be decides the exit code.
///
/// # Errors
/// [`CommandError`].
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<bool, CommandError> {
    let now = clock.now();
    let settings = args.place.settings(now)?;
    match args.command {
        Command::Migrate => migrate(&settings, out).await?,
        Command::Status { json } => return status(&settings, json, out).await,
        Command::Backup { file } => {
            let copied = copies::backup(file_of(&settings, "pg_dump")?, &file).await?;
            print(&copied, out)?;
            let rows: i64 = copied.iter().map(|table| table.rows).sum();
            let tables = copied.len();
            writeln!(out, "{}: a whole copy, {rows} rows in {tables} tables, the same in both.", file.display())?;
        }
        Command::Restore { file, accept, as_of } => restore(&settings, &file, &accept, as_of, now, out).await?,
        Command::Restored { accept } => {
            accept.of(&settings, now).await?;
            writeln!(out, "{}: accepted as restored at {now}, {}.", settings.at, accept.describe())?;
        }
        Command::Move { to } => {
            let to = store_of::<Service>(&to, now).map_err(PlaceError::WrongStore)?;
            moved(&settings, &to, out).await?;
        }
    }
    Ok(true)
}

async fn migrate(settings: &Settings, out: &mut impl Write) -> Result<(), CommandError> {
    let before = match &settings.at {
        At::Sqlite(file) if !file.exists() => 0,
        _ => schema(settings).await?.version,
    };
    Database::open(settings, Access::Make).await?.close().await;
    let Schema { version, .. } = schema(settings).await?;
    match before == version {
        true => writeln!(out, "{}: schema {version}, which is this release's.", settings.at)?,
        false => writeln!(out, "{}: schema {before} brought to {version}.", settings.at)?,
    }
    Ok(())
}

/// A line for each table: its rows, and the digest that it has in both places.
fn print(tables: &[TableDigest], out: &mut impl Write) -> std::io::Result<()> {
    tables
        .iter()
        .try_for_each(|TableDigest { table, rows, digest }| writeln!(out, "  {rows:>9}  {table:<24} {}", hex::encode(digest)))
}

async fn status(settings: &Settings, as_json: bool, out: &mut impl Write) -> Result<bool, CommandError> {
    let Schema { version, latest } = schema(settings).await?;
    let kind = if matches!(settings.at, At::Sqlite(_)) { "SQLite" } else { "PostgreSQL" };
    let (mut tables, mut restored) = (Vec::new(), None);
    if version == latest {
        let database = Database::open(settings, Access::Look).await?;
        let read = async { Ok::<_, StoreError>((database.counts().await?, copies::restored(&database).await?)) }.await;
        database.close().await;
        (tables, restored) = read?;
    }
    if as_json {
        let rows: serde_json::Map<_, _> = tables.into_iter().map(|(table, rows)| (table, rows.into())).collect();
        let restored = restored.map(|(at, to)| json!({"at": at.to_string(), "decided_to": to.map(|to| to.to_string())}));
        let said = json!({
            "store": settings.at.to_string(), "kind": kind, "schema": version, "latest": latest, "rows": rows, "restored": restored,
        });
        writeln!(out, "{said:#}")?;
        return Ok(version == latest);
    }
    writeln!(out, "{}: {kind}, schema {version} of {latest}.", settings.at)?;
    if version != latest {
        writeln!(out, "`hjemmel serve` or `hjemmel store migrate` brings it up to date.")?;
    }
    if let Some((at, to)) = restored {
        let to = to.map_or_else(|| "none at all".to_owned(), |to| format!("the last of {to}"));
        writeln!(out, "It was restored at {at}; its copy has decisions up to then: {to}.")?;
    }
    for (table, rows) in tables {
        writeln!(out, "  {rows:>9}  {table}")?;
    }
    Ok(version == latest)
}

async fn restore(
    settings: &Settings,
    file: &Path,
    accept: &Accept,
    as_of: Option<Timestamp>,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    if accept.by.is_some() {
        return Err(CommandError::ByIsGone);
    }
    let store = file_of(settings, "pg_restore")?;
    let lost = copies::lost(store, file).await?;
    let to = lost.decided_to.map_or_else(|| "no decision".to_owned(), |to| format!("decisions up to {to}"));
    writeln!(out, "{}: a whole copy, with {to}.", file.display())?;
    for (id, copy, held) in &lost.agreements {
        let copy = copy.as_deref().unwrap_or("not there");
        writeln!(out, "  agreement {id} is {held}, and in the copy {copy}")?;
    }
    for id in &lost.routes {
        writeln!(out, "  route {id} is missing in the copy, or has another end there")?;
    }
    for (table, rows) in &lost.rows {
        writeln!(out, "  {rows} row(s) of {table} are not so in the copy")?;
    }
    let revived = lost.revived().count();
    if revived > 0 {
        writeln!(out, "{revived} agreement(s) that were ended or suspended would be approved again.")?;
    }
    let up_to = lost.decided_to.unwrap_or(Timestamp::UNIX_EPOCH);
    if !lost.is_nothing() && as_of != Some(up_to) {
        let why = match lost.known {
            true => "the copy lacks what is listed",
            false => "the present store cannot be read, so that nobody knows what the copy lacks",
        };
        return Err(CommandError::NotAccepted(format!(
            "{why}; add --as-of {up_to} to accept it, and decide again what was decided since"
        )));
    }
    let before = copies::restore(store, file, now, async |fresh| accept.of(&fresh, now).await).await?;
    writeln!(out, "{}: restored, {}.", store.display(), accept.describe())?;
    if let Some(before) = before {
        writeln!(out, "What was there is {}; remove it when it is not needed any more.", before.display())?;
    }
    writeln!(out, "Messages created before now are refused as possible replays. `hjemmel agreement list` shows what holds.")?;
    Ok(())
}

async fn moved(from: &Settings, to: &Settings, out: &mut impl Write) -> Result<(), CommandError> {
    let file = file_of(from, "pg_dump and pg_restore")?;
    if matches!(to.at, At::Sqlite(_)) {
        return Err(CommandError::OtherDatabase(
            "the [store] of --to is no PostgreSQL database; name the configuration of the new store",
        ));
    }
    copies::whole(file).await?;
    let source = Database::open(from, Access::Change).await?;
    let target = Database::open(to, Access::Make).await?;
    let done = moving::moved(&source, &target, |table, done, all| {
        if all > 1_000 {
            eprintln!("{table}: {done} of {all}");
        }
    })
    .await;
    source.close().await;
    target.close().await;
    print(&done?, out)?;
    writeln!(
        out,
        "{} is moved to {}, and the same in both. Start the gateway with the new configuration;",
        file.display(),
        to.at
    )?;
    writeln!(out, "what is decided in the file from now on is not in the database: move it away.")?;
    Ok(())
}

/// The file of an SQLite store.
fn file_of<'s>(settings: &'s Settings, tools: &'static str) -> Result<&'s Path, CommandError> {
    match &settings.at {
        At::Sqlite(file) => Ok(file),
        At::Postgres(_) if tools == "pg_dump" => {
            Err(CommandError::OtherDatabase("a PostgreSQL store is copied by its own tools: pg_dump --format=custom"))
        }
        At::Postgres(_) => Err(CommandError::OtherDatabase(
            "a PostgreSQL store is restored by its own tools: pg_restore, and then `hjemmel store restored`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::as_user;
    use crate::decisions::statement::is_signed;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// `hjemmel store WORDS --store FILE`, so many seconds after the time that the keys are of.
    async fn said(folder: &Path, words: &[&str], who: Option<&str>, after: i64) -> Result<String, CommandError> {
        let file = folder.join("store.sqlite").display().to_string();
        let signed = who.map_or_else(Vec::new, |who| as_user::options(folder, who).to_vec());
        let words = words.iter().map(|word| (*word).to_owned()).chain(signed);
        let line = ["store".to_owned(), "--store".to_owned(), file].into_iter().chain(words);
        let line = Line::try_parse_from(line);
        let mut out = Vec::new();
        let now = as_user::now() + jiff::SignedDuration::from_secs(after);
        run(line.unwrap().args, &Clock::fixed(now), &mut out).await?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn a_store_that_was_put_back_is_accepted_by_an_operators_key_or_by_whoever_holds_it_and_by_no_name() {
        let dir = tempfile::tempdir().unwrap();
        as_user::keys(dir.path());
        let file = dir.path().join("store.sqlite");
        as_user::add_all(&file).await;
        let copy = dir.path().join("copy.sqlite").display().to_string();
        said(dir.path(), &["backup", &copy], None, 0).await.unwrap();
        let made = async || {
            let store = Store::open(&Settings::sqlite(&file)).await.unwrap();
            let made = store.every_decision().await.unwrap().pop().unwrap();
            let user = match made.user {
                Some(id) => Some(store.user(id).await.unwrap().name),
                None => None,
            };
            store.close().await;
            (made, user)
        };
        for words in [&["restored", "--reason", "sag 7"][..], &["restore", &copy, "--reason", "sag 7"]] {
            let gone = said(dir.path(), &[words, &["--by", "A. Jensen"]].concat(), None, 0).await.unwrap_err().to_string();
            assert!(gone.contains("a name proves nobody"), "{gone}");
            let refused = said(dir.path(), words, Some("A. Prøve"), 0).await.unwrap_err().to_string();
            assert!(refused.contains("ApiNotAllowed") || refused.contains("accept a store"), "{refused}");
            assert_ne!(made().await.0.what.to, "RESTORED", "nothing of it was written");
        }
        for (after, words, who) in [
            (1, &["restore", &copy, "--reason", "disken gik tabt"][..], Some("O. Drift")),
            (2, &["restored", "--reason", "disken gik tabt"], Some("I. Drift")),
            (3, &["restored", "--reason", "disken gik tabt"], None),
        ] {
            let out = said(dir.path(), words, who, after).await.unwrap();
            let (made, user) = made().await;
            assert_eq!((made.what.subject.name(), made.what.to.as_str()), ("store", "RESTORED"));
            assert_eq!((made.because.reason.as_str(), user.as_deref()), ("disken gik tabt", who), "{out}");
            match who {
                Some(who) => {
                    let [_, certificate, ..] = as_user::options(dir.path(), who);
                    let chain = crate::signature::credentials::certificates_from_pem_file(Path::new(&certificate)).unwrap();
                    let certificate = crate::signature::key::Certificate::from_der(&chain[0]).unwrap();
                    assert!(is_signed(&certificate, &made.signature.unwrap(), &made.what, &made.because), "{out}");
                }
                None => assert!(made.signature.is_none() && out.contains("whoever holds the store"), "{out}"),
            }
        }
    }
}
