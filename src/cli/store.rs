//! `hjemmel store`: the store itself, whatever is in it: its schema, its copies, and its way to another database.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::place::{Place, PlaceError, one_line};
use crate::clock::Clock;
use crate::config::store_of;
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
  hjemmel store restore /backup/store-2026-11-29.sqlite --by \"A. Jensen\" \\
    --config hjemmel.toml
  hjemmel store move --config hjemmel.toml --to hjemmel-postgres.toml

A PostgreSQL store is copied by its own tools, for instance:
  pg_dump --format=custom --file=store.dump \"host=db.example dbname=hjemmel\"
  pg_restore --clean --if-exists --single-transaction --dbname=hjemmel store.dump
  hjemmel store restored --by \"A. Jensen\" --config hjemmel.toml

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
        /// Who restores, by name
        #[arg(long, value_name = "NAME", value_parser = one_line)]
        by: String,
        /// Accept what the copy lacks: the instant up to which it has decisions, as this command told it
        #[arg(long, value_name = "INSTANT")]
        as_of: Option<Timestamp>,
    },
    /// Accept a store that was put back by other means: `pg_restore`, a snapshot of a disk, a file that was copied over it
    ///
    /// Until then a gateway that has seen it further on does not start on it, and one that serves refuses calls. The memory against
    /// replay begins anew. It stands in the audit log, and is told by `status` and in the log at each start.
    Restored {
        /// Who restored, by name
        #[arg(long, value_name = "NAME", value_parser = one_line)]
        by: String,
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
            tell(&copied, out)?;
            let rows: i64 = copied.iter().map(|table| table.rows).sum();
            let tables = copied.len();
            writeln!(out, "{}: a whole copy, {rows} rows in {tables} tables, the same in both.", file.display())?;
        }
        Command::Restore { file, by, as_of } => restore(&settings, &file, &by, as_of, now, out).await?,
        Command::Restored { by } => {
            let database = Database::open(&settings, Access::Change).await?;
            let noted = copies::note(&database, &by, now).await;
            database.close().await;
            noted?;
            writeln!(out, "{}: noted that it was restored, at {now}.", settings.at)?;
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
fn tell(tables: &[TableDigest], out: &mut impl Write) -> std::io::Result<()> {
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
    by: &str,
    as_of: Option<Timestamp>,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CommandError> {
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
    let accept = lost.decided_to.unwrap_or(Timestamp::UNIX_EPOCH);
    if !lost.is_nothing() && as_of != Some(accept) {
        let why = match lost.known {
            true => "the copy lacks what is listed",
            false => "the present store cannot be read, so that nobody knows what the copy lacks",
        };
        return Err(CommandError::NotAccepted(format!(
            "{why}; add --as-of {accept} to accept it, and decide again what was decided since"
        )));
    }
    let before = copies::restore(store, file, by, now).await?;
    writeln!(out, "{}: restored.", store.display())?;
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
    tell(&done?, out)?;
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
