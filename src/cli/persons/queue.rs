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
