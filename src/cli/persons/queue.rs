//! `hjemmel persons queue`: what waits to be handed on to Campus, and what Campus refuses.

use std::io::Write;

use super::super::place::{Place, with_store};
use super::super::user::Decide;
use super::CommandError;
use crate::agreements::Store;
use crate::clock::Clock;
use crate::decisions::{Because, By};
use crate::persons::campus::queue::{Operation, operate};
use crate::persons::outbox;
use crate::store::Access;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show it: those that are given up first, then the oldest. Persons are shown by their running numbers
    Show {
        /// How many at most
        #[arg(long, default_value_t = 50)]
        most: u32,
    },
    /// Try one again that is given up, or all
    Retry {
        /// Its number
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        row: Option<i64>,
        /// All that are given up
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        decide: Decide,
    },
    /// Drop one that is given up: Campus is not told, and what follows of the same person goes on
    Drop {
        /// Its number
        row: i64,
        #[command(flatten)]
        decide: Decide,
    },
}

pub(super) async fn run(place: &Place, command: Command, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let now = clock.now();
    let settings = place.settings(now)?;
    match command {
        Command::Show { most } => {
            let show = async |store: &Store| {
                let database = store.database();
                Ok::<_, CommandError>((outbox::figures(database, now).await?, outbox::oldest(database, most).await?))
            };
            let (figures, rows) = with_store(&settings, Access::Look, show).await?;
            let oldest = figures.oldest.as_secs();
            writeln!(out, "{} wait, the oldest for {oldest} s; {} are given up", figures.waiting, figures.dead)?;
            for row in rows {
                let state = if row.is_dead { "given up" } else { "waiting" };
                let problem = row.problem.map(|problem| format!("  {problem}")).unwrap_or_default();
                let (id, number, what, tries) = (row.id, row.number, row.what, row.attempts);
                writeln!(out, "{id:>8}  {state:8}  {what:6}  person {number}  since {}  {tries} tries{problem}", row.added)?;
            }
        }
        Command::Retry { row, decide, .. } => {
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            let retry = async |store: &Store| {
                let rows = match row {
                    Some(row) => vec![row],
                    None => outbox::dead(&mut store.database().session().await?).await?,
                };
                for row in &rows {
                    operate(store, signer.as_ref().map(By::Key), *row, Operation::Retry, &because).await?;
                }
                Ok::<_, CommandError>(rows.len())
            };
            let many = with_store(&settings, Access::Change, retry).await?;
            writeln!(out, "{many} are tried again by the gateway that serves next")?;
        }
        Command::Drop { row, decide } => {
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            let drop = async |store: &Store| {
                operate(store, signer.as_ref().map(By::Key), row, Operation::Drop, &because).await.map_err(CommandError::from)
            };
            with_store(&settings, Access::Change, drop).await?;
            writeln!(out, "row {row} is dropped: Campus is not told of it, and what follows of the same person goes on")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jiff::Timestamp;

    use super::super::{Args, run};
    use super::*;
    use crate::persons::outbox::{Fate, Handed};
    use crate::store::{Database, Settings};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn now() -> Timestamp {
        "2026-11-29T10:00:00Z".parse().unwrap()
    }

    async fn types(store: &std::path::Path, words: &[&str]) -> Result<String, String> {
        let store = store.display().to_string();
        let all = ["persons", "--store", &store].into_iter().chain(words.iter().copied());
        let line = Line::try_parse_from(all).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        match run(line.args, &Clock::fixed(now()), &mut std::io::empty(), &mut out).await {
            Ok(_) => Ok(String::from_utf8(out).unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn the_queue_is_shown_by_running_numbers_and_what_is_given_up_is_retried_or_dropped_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store.sqlite");
        let database = Database::open(&Settings::sqlite(&store), Access::Make).await.unwrap();
        let handed: Handed = serde_json::from_value(serde_json::json!({
            "number": 4711, "authority": "11111111", "institution": "1", "staff_number": "M1", "department": "1",
            "first_names": "Anna Prøve"
        }))
        .unwrap();
        let mut transaction = database.begin_beside_others().await.unwrap();
        outbox::put(&mut transaction, &[handed.clone(), Handed { number: 4712, ..handed }], now()).await.unwrap();
        transaction.commit().await.unwrap();
        let waits = types(&store, &["queue", "show"]).await.unwrap();
        assert!(waits.starts_with("2 wait, the oldest for 0 s; 0 are given up\n"), "{waits}");
        assert!(waits.contains("person 4711") && !waits.contains("Anna"), "{waits}");
        let taken = outbox::take(&database, 9, std::time::Duration::from_secs(60), now()).await.unwrap();
        for taken in &taken {
            outbox::not_taken(&database, taken, "HTTP 400 invalidValue", Fate::Dead).await.unwrap();
        }
        let shown = types(&store, &["queue", "show"]).await.unwrap();
        assert!(
            shown.contains("2 are given up") && shown.contains("given up  PERSON  person 4711") && shown.contains("HTTP 400"),
            "{shown}"
        );
        assert!(types(&store, &["queue", "drop", "1"]).await.unwrap_err().contains("--reason"));
        assert!(types(&store, &["queue", "retry", "--reason", "sag 7"]).await.is_err(), "which, or all");
        types(&store, &["queue", "drop", "1", "--reason", "sag 7"]).await.unwrap();
        let told = types(&store, &["queue", "drop", "1", "--reason", "sag 7"]).await.unwrap_err();
        assert!(told.contains("no row 1"), "{told}");
        let told = types(&store, &["queue", "retry", "--all", "--reason", "sag 7"]).await.unwrap();
        assert!(told.starts_with("1 are tried again"), "{told}");
        assert!(types(&store, &["queue", "show"]).await.unwrap().starts_with("1 wait, the oldest for 0 s; 0 are given up"));
        let told = types(&store, &["adopt", "users.csv", "--reason", "sag 7"]).await.unwrap_err();
        assert!(told.contains("no [campus]"), "{told}");
    }
}
