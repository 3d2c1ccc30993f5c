//! `hjemmel mailbox request`.

use std::collections::BTreeSet;
use std::io::Write;

use uuid::Uuid;

use super::{CommandError, Who};
use crate::agreements::Store;
use crate::agreements::rules::Rules;
use crate::cli::place::with_store;
use crate::clock::Clock;
use crate::decisions::{Because, By};
use crate::files::partner::request::{self, State};
use crate::id::cvr::Cvr;
use crate::store::{Access, Settings};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Requests {
    /// List what waits for a decision
    List {
        /// Also what was decided
        #[arg(long)]
        all: bool,
    },
    /// Show one: the text that is signed when it is decided on
    Show {
        /// Its id
        id: Uuid,
    },
    /// Approve one, as a signatory of an authority that it concerns: with the last of them it is carried out at once
    Approve(Decide),
    /// Reject one
    Reject(Decide),
    /// Take one back
    Withdraw(Decide),
}

#[derive(Debug, clap::Args)]
pub(super) struct Decide {
    /// Its id
    id: Uuid,
    #[command(flatten)]
    who: Who,
}

pub(super) async fn run(
    command: Requests,
    (settings, rules): (&Settings, &Rules),
    clock: &Clock,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let (Decide { id, who }, to) = match command {
        Requests::List { all } => {
            let list = async |store: &Store| -> Result<_, CommandError> {
                Ok(request::all(&mut store.database().session().await?, !all).await?)
            };
            let found = with_store(settings, Access::Look, list).await?;
            if found.is_empty() {
                writeln!(out, "Nothing waits for a decision.")?;
            }
            for request in found {
                let (text, state) = (request.wanted.text(), request.state.name());
                let what = text.lines().take(2).collect::<Vec<_>>().join(", ");
                writeln!(out, "{}  {state:8}  {}  {what}", request.id, request.authority)?;
            }
            return Ok(());
        }
        Requests::Show { id } => {
            let show = async |store: &Store| -> Result<_, CommandError> {
                let request = one(store, id).await?;
                // Of one whose object is gone it is not known; its text is shown all the same.
                let awaited = match request.state {
                    State::Asked => request::awaited(store, &request).await.unwrap_or_default(),
                    _ => BTreeSet::new(),
                };
                Ok((request.text(), awaited))
            };
            let (text, awaited) = with_store(settings, Access::Look, show).await?;
            write!(out, "{text}")?;
            if !awaited.is_empty() {
                writeln!(out, "\nwaits for a signatory of {}", all(&awaited))?;
            }
            return Ok(());
        }
        Requests::Approve(decide) => (decide, State::Approved),
        Requests::Reject(decide) => (decide, State::Rejected),
        Requests::Withdraw(decide) => (decide, State::Withdrawn),
    };
    let (signer, because) = (who.person.signer()?, Because::new(who.reason, clock.now()));
    let (text, left) = with_store::<_, CommandError>(settings, Access::Change, async |store| {
        let shown = one(store, id).await?;
        let decided = request::decide(store, rules, By::Key(&signer), &shown, to, &because, None).await?;
        let left = match decided.state {
            State::Asked => request::awaited(store, &decided).await?,
            _ => BTreeSet::new(),
        };
        Ok((shown.text(), left))
    })
    .await?;
    // What was signed, word for word.
    write!(out, "{text}")?;
    match left.is_empty() {
        true => writeln!(out, "{id} is {}", to.name())?,
        false => {
            writeln!(out, "{id} is approved by yours, and comes into force when a signatory of {} approves it too", all(&left))?
        }
    }
    Ok(())
}

fn all(authorities: &BTreeSet<Cvr>) -> String {
    authorities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and of ")
}

async fn one(store: &Store, id: Uuid) -> Result<request::Request, CommandError> {
    Ok(request::with_id(&mut store.database().session().await?, id).await?)
}
