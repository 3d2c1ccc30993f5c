//! `hjemmel mailbox status`, `except` and `silence`: what operators and an authority look at each day.

use std::io::Write;
use std::process::ExitCode;

use jiff::civil::Date;
use uuid::Uuid;

use super::{CommandError, Who};
use crate::agreements::Store;
use crate::agreements::route::day;
use crate::cli::place::with_store;
use crate::clock::{Clock, civil_day};
use crate::decisions::{Because, By};
use crate::files::partner::agreement::{self, AgreementError, Number};
use crate::files::partner::{silence, status};
use crate::store::{Access, Settings, StoreError};

/// Whether all files that an agreement delivered on some days are approved
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 each is GODKENDT or UNDTAGET; 1 some are not.")]
pub(super) struct Status {
    /// The agreement
    number: Number,
    /// The first day; today unless given
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<Date>,
    /// The last day; today unless given
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<Date>,
}

/// Take a rejected file out of the daily check, with a reason; it is handed over to nobody
#[derive(Debug, clap::Args)]
pub(super) struct Except {
    /// The file's id, as `hjemmel mailbox status` shows it
    id: Uuid,
    #[command(flatten)]
    who: Who,
}

pub(super) async fn status(
    asked: Status,
    settings: &Settings,
    clock: &Clock,
    out: &mut impl Write,
) -> Result<ExitCode, CommandError> {
    let today = civil_day(clock.now()).ok_or(StoreError::Unreadable { column: "today" })?;
    let (from, to) = (asked.from.unwrap_or(today), asked.to.unwrap_or(today));
    let look = async |store: &Store| -> Result<_, CommandError> {
        let mut session = store.database().session().await?;
        let held = agreement::numbered(&mut session, asked.number).await?.ok_or(AgreementError::NoSuch(asked.number))?;
        Ok(status::status(&mut session, held.id, from, to).await?)
    };
    let found = with_store(settings, Access::Look, look).await?;
    writeln!(out, "{} · {}", found.line().da(), found.line().en())?;
    for file in &found.exceptions {
        let codes: Vec<&str> = file.remarks.iter().map(|remark| remark.code.as_str()).collect();
        let why = file.excepted.as_ref().map(|why| format!("  ({}: {why})", file.excepted_by.as_deref().unwrap_or("-")));
        let (validation, received) = (file.validation.name(), file.received);
        let (stream, kind, alias) = (&file.stream, &file.alias_kind, &file.alias_code);
        writeln!(
            out,
            "{}  {validation:8}  {received}  {stream}  {kind}:{alias}  {}{}",
            file.id,
            codes.join(" "),
            why.unwrap_or_default()
        )?;
    }
    Ok(if found.is_settled() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) async fn except(
    asked: Except,
    settings: &Settings,
    clock: &Clock,
    out: &mut impl Write,
) -> Result<ExitCode, CommandError> {
    let (signer, because) = (asked.who.person.signer()?, Because::new(asked.who.reason, clock.now()));
    let except = async |store: &Store| -> Result<(), CommandError> {
        Ok(status::except(store, By::Key(&signer), asked.id, &because, None).await?)
    };
    with_store(settings, Access::Change, except).await?;
    writeln!(out, "{} is UNDTAGET: the daily check no longer waits for it, and nobody gets it", asked.id)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn silent(settings: &Settings, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let look = async |store: &Store| -> Result<_, CommandError> {
        Ok(silence::silent(&mut store.database().session().await?, clock.now()).await?)
    };
    let mut found = with_store(settings, Access::Look, look).await?;
    found.sort();
    if found.is_empty() {
        writeln!(out, "No stream is silent beyond its agreed rhythm.")?;
    }
    for silent in &found {
        let (number, stream, direction, since) = (silent.number, &silent.stream, silent.direction.name(), silent.since);
        let told = silent.cause.describe();
        writeln!(out, "{number}  {stream} {direction}  since {since}  {}: {} · {}", silent.cause.name(), told.da(), told.en())?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
