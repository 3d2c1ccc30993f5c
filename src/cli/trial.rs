//! `hjemmel trial`: the times within which an authority's deliveries may be tests (`Proeve`).

use std::io::{self, Write};
use std::process::ExitCode;

use jiff::Timestamp;
use uuid::Uuid;

use super::made;
use super::person::{Person, PersonError};
use super::place::{Place, PlaceError, one_line, with_store};
use crate::agreements::Store;
use crate::audit::Subject;
use crate::clock::Clock;
use crate::decisions::{Because, By};
use crate::id::cvr::Cvr;
use crate::services::finance::rules::trial::Opening;
use crate::services::finance::trials::{Trial, TrialError};
use crate::store::{Access, StoreError};

/// Times within which tests (Proeve) of an authority's deliveries of vouchers are taken; outside them a test is refused (FB006).
///
/// The authority's system responsible opens one, or an operator on their behalf. It closes by itself; every gateway of the store
/// knows it within a second.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel trial open --authority 11111111 --to 2026-12-01T16:00:00+01:00 --reason \"sag 7\" \\
    --certificate ansvarlig.pem --key ansvarlig.key.pem --config hjemmel.toml
  hjemmel trial list --config hjemmel.toml
  hjemmel trial end ID --reason \"prøven er slut\" --certificate ansvarlig.pem --key ansvarlig.key.pem --config hjemmel.toml")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// The service, by UUID or with --config by name; left out: the one for vouchers
    #[arg(long, global = true, value_name = "NAME|UUID")]
    service: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Open a time for tests, 31 days at most
    Open {
        /// The authority that sends
        #[arg(long, value_name = "CVR")]
        authority: Cvr,
        /// From when, as 2026-12-01T08:00:00+01:00; left out: from now
        #[arg(long, value_name = "INSTANT")]
        from: Option<Timestamp>,
        /// Until when, which is not within
        #[arg(long, value_name = "INSTANT")]
        to: Timestamp,
        /// Why, in a sentence
        #[arg(long, value_name = "TEXT", value_parser = one_line)]
        reason: String,
        #[command(flatten)]
        person: Person,
    },
    /// List the times for tests of the store, the newest first: who opened each, and why
    List {
        /// Also those that are over
        #[arg(long)]
        all: bool,
    },
    /// End one before its time
    End {
        /// Its id
        id: Uuid,
        /// Why, in a sentence
        #[arg(long, value_name = "TEXT", value_parser = one_line)]
        reason: String,
        #[command(flatten)]
        person: Person,
    },
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is not known where the store is, or for which service.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who decides.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// The time cannot be so.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Carries out the command.
///
/// # Errors
/// [`CommandError`]; nothing was changed then.
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let now = clock.now();
    let Args { place, service, command } = args;
    let settings = place.settings(now)?;
    match command {
        Command::Open { authority, from, to, reason, person } => {
            let (signer, because) = (person.signer()?, Because::new(reason, now));
            let service = place.finance_service(service.as_deref(), now)?;
            let trial = Trial::new(service, authority, from.unwrap_or(because.at), to, now)?;
            let open = async |store: &Store| trial.open(store, By::Key(&signer), &because, None).await;
            with_store(&settings, Access::Change, open).await?;
            let Opening { from, to } = trial.opening;
            writeln!(out, "{}: tests of {authority} are taken from {from} until {to}, and then no more", trial.id)?;
        }
        Command::List { all } => {
            let service = place.finance_service(service.as_deref(), now)?;
            with_store(&settings, Access::Look, async |store| list(store, service, all, now, out).await).await?;
        }
        Command::End { id, reason, person } => {
            let (signer, because) = (person.signer()?, Because::new(reason, now));
            let end = async |store: &Store| store.trial(id).await?.end(store, By::Key(&signer), &because, None).await;
            with_store(&settings, Access::Change, end).await?;
            writeln!(out, "{id} is ended; a test is refused unless another time is open")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, service: Uuid, all: bool, now: Timestamp, out: &mut impl Write) -> Result<(), CommandError> {
    let trials = store.trials(service).await?;
    let shown: Vec<_> = trials.iter().filter(|trial| all || !trial.is_over(now)).collect();
    if shown.is_empty() {
        writeln!(out, "No time for tests is opened in the store. Open one with `hjemmel trial open`.")?;
    }
    let users = store.users().await?;
    for trial in shown {
        writeln!(out, "{}", describe(trial, now))?;
        made::print(&store.made_on(Subject::Trial, trial.id).await?, &users, out)?;
    }
    Ok(())
}

/// A line of a listing.
pub(super) fn describe(trial: &Trial, now: Timestamp) -> String {
    let Opening { from, to } = trial.opening;
    let state = trial.stands(now);
    format!("{}  {state:7}  {}  {from} – {to}", trial.id, trial.authority)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::as_user;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    async fn types(dir: &std::path::Path, who: Option<&str>, words: &[&str]) -> Result<String, String> {
        let store = dir.join("store.sqlite").display().to_string();
        let signed = who.map(|who| as_user::options(dir, who).to_vec()).unwrap_or_default();
        let all = ["trial", "--store", &store, "--service", "15900000-0000-4000-8000-000000000001"];
        let all = all.into_iter().chain(words.iter().copied()).chain(signed.iter().map(String::as_str));
        let line = Line::try_parse_from(all).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        match run(line.args, &Clock::fixed(as_user::now()), &mut out).await {
            Ok(_) => Ok(String::from_utf8(out).unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn a_time_is_opened_listed_with_who_opened_it_and_why_and_ended() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        as_user::keys(dir);
        as_user::add_all(&dir.join("store.sqlite")).await;
        let none = types(dir, None, &["list"]).await.unwrap();
        assert!(none.contains("hjemmel trial open"), "{none}");
        let to = "2026-11-23T16:00:00+01:00";
        let open = ["open", "--authority", "11111111", "--to", to, "--reason", "sag 7"];
        let refused = types(dir, Some("A. Prøve"), &open).await.unwrap_err();
        assert!(refused.contains("open times for tests"), "{refused}");
        assert!(types(dir, None, &open).await.unwrap_err().contains("--certificate"), "nobody decides");
        let told = types(dir, Some("R. Ansvarlig"), &open).await.unwrap();
        assert!(told.contains("from 2026-11-22T12:00:00Z until 2026-11-23T15:00:00Z"), "{told}");
        let listed = types(dir, None, &["list"]).await.unwrap();
        assert!(listed.contains("  open     11111111  2026-11-22T12:00:00Z – 2026-11-23T15:00:00Z"), "{listed}");
        assert!(listed.contains("sag 7: open from") && listed.contains("by R. Ansvarlig as system-responsible"), "{listed}");
        let id = listed.split_whitespace().next().unwrap();
        let end = ["end", id, "--reason", "slut"];
        assert!(types(dir, Some("S. Fremmed"), &end).await.is_err());
        types(dir, Some("R. Ansvarlig"), &end).await.unwrap();
        assert!(types(dir, Some("O. Drift"), &end).await.unwrap_err().contains("that is not over"));
        assert!(types(dir, None, &["list"]).await.unwrap().contains("No time for tests"));
        let all = types(dir, None, &["list", "--all"]).await.unwrap();
        assert!(all.contains("  ended    11111111") && all.contains("slut: ended at"), "{all}");
    }
}
