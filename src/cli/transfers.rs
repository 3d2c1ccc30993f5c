//! `hjemmel transfers`: files that were handed over.

use std::collections::BTreeMap;
use std::io::{self, Write};

use uuid::Uuid;

use super::person::PersonError;
use super::place::{Place, PlaceError, with_store};
use super::user::Decide;
use crate::agreements::Store;
use crate::clock::Clock;
use crate::decisions::{Because, By};
use crate::files::answers::{self, Awaited, Standing};
use crate::files::decide::{FileDecideError, Operation, operate};
use crate::files::operate::OperateError;
use crate::files::transfers::{self, Delivery, Transfer};
use crate::files::users::{self, User};
use crate::store::{Access, StoreError};

/// Files that were handed over: list, show, try again, deliver again.
///
/// The name of a file can hold a person's data; it is shown with --names alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel transfers list --sender KY_SIMPELSFTP --config hjemmel.toml
  hjemmel transfers show ID --config hjemmel.toml
  hjemmel transfers retry ID --reason \"the order is approved\" --config hjemmel.toml
  hjemmel transfers redeliver ID --to OPUS_SIMPELSFTP --reason \"lost there\" \\
    --config hjemmel.toml")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the newest transfers
    List {
        /// Of this SFTP user alone
        #[arg(long, value_name = "USER")]
        sender: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 50)]
        most: u32,
        /// With the names of the files
        #[arg(long)]
        names: bool,
    },
    /// Show one: where it stands, with each recipient, and why it was refused
    Show {
        /// Its id: FileTransferUUID
        id: Uuid,
        /// With the name of the file
        #[arg(long)]
        names: bool,
    },
    /// Try a refused one again: the same id and trigger, and the data file that is in OUT
    Retry {
        /// Its id
        id: Uuid,
        #[command(flatten)]
        decide: Decide,
    },
    /// Deliver one once more to one of its recipients, from the copy that is kept: by an operator, or by whoever requests route orders for
    /// that recipient
    Redeliver {
        /// Its id
        id: Uuid,
        /// The recipient
        #[arg(long, value_name = "USER")]
        to: String,
        #[command(flatten)]
        decide: Decide,
    },
}

/// Why the command did not do as asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is not known where the store is.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who decides.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// It may not be, or cannot be so.
    #[error(transparent)]
    Decide(#[from] FileDecideError),
    /// There is none.
    #[error(transparent)]
    Operate(#[from] OperateError),
    /// There is no such user.
    #[error("there is no SFTP user {0}")]
    NoSuchUser(String),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Runs the command, and writes what it has to say to `out`.
///
/// # Errors
/// [`CommandError`].
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let now = clock.now();
    let settings = args.place.settings(now)?;
    match args.command {
        Command::List { sender, most, names } => {
            let list = async |store: &Store| {
                let mut session = store.database().session().await?;
                let users = users::all(&mut session).await?;
                let of = |name: &String| users.iter().find(|user| user.name == *name).map(|user| user.id);
                let sender = match &sender {
                    Some(name) => Some(of(name).ok_or_else(|| CommandError::NoSuchUser(name.clone()))?),
                    None => None,
                };
                let found = transfers::newest(&mut session, sender, most).await?;
                let mut answered = BTreeMap::new();
                for transfer in &found {
                    answered.extend(answers::of(&mut session, transfer.id).await?.map(|awaited| (transfer.id, awaited)));
                }
                Ok::<_, CommandError>((found, answered, users))
            };
            let (transfers, answered, users) = with_store(&settings, Access::Look, list).await?;
            if transfers.is_empty() {
                writeln!(out, "There are no transfers.")?;
            }
            for transfer in transfers {
                let name = if names { format!("  {}", transfer.name.spelt()) } else { String::new() };
                let codes = match transfer.repeats {
                    Some(earlier) => format!("  the same as {earlier}"),
                    None if transfer.codes.is_empty() => String::new(),
                    None => format!("  {}", transfer.codes),
                };
                let sender = named(&users, transfer.sender);
                let answer = answered.get(&transfer.id).filter(|awaited| awaited.standing != Standing::Taken);
                let answer = answer.map_or(String::new(), |awaited| format!("  answer {}", awaited.standing.name()));
                let state = transfer.state.name();
                writeln!(out, "{}  {}  {state:16}  {sender}{codes}{answer}{name}", transfer.id, transfer.received)?;
            }
        }
        Command::Show { id, names } => {
            let show = async |store: &Store| {
                let mut session = store.database().session().await?;
                let found = transfers::with_id(&mut session, id).await?.ok_or(OperateError::NoSuchTransfer(id))?;
                let deliveries = transfers::deliveries(&mut session, id).await?;
                let awaited = answers::of(&mut session, id).await?;
                Ok::<_, CommandError>((found, deliveries, awaited, users::all(&mut session).await?))
            };
            let (transfer, deliveries, awaited, users) = with_store(&settings, Access::Look, show).await?;
            one(&transfer, &deliveries, &users, names, out)?;
            if let Some(awaited) = awaited {
                answer(&awaited, out)?;
            }
        }
        Command::Retry { id, decide } => {
            done(&settings, id, Operation::Retry, decide, clock).await?;
            writeln!(out, "transfer {id} is tried again; its sender gets a receipt")?;
        }
        Command::Redeliver { id, to, decide } => {
            done(&settings, id, Operation::Redeliver(to.clone()), decide, clock).await?;
            writeln!(out, "transfer {id} lies in the IN folder of {to} once more")?;
        }
    }
    Ok(())
}

async fn done(
    settings: &crate::store::Settings,
    id: Uuid,
    operation: Operation,
    decide: Decide,
    clock: &Clock,
) -> Result<(), CommandError> {
    let (signer, because) = (decide.signer()?, Because::new(decide.reason, clock.now()));
    with_store(settings, Access::Change, async |store| {
        Ok(operate(store, signer.as_ref().map(By::Key), id, &operation, clock, &because).await?)
    })
    .await
}

fn named(users: &[User], id: Uuid) -> &str {
    users.iter().find(|user| user.id == id).map_or("-", |user| user.name.as_str())
}

/// What the recipient made of it, or by when it is to say so.
fn answer(awaited: &Awaited, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "delivery      {}", awaited.subject)?;
    let at = |at: Option<jiff::Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let state = awaited.standing.name();
    match awaited.answer {
        Some(by) => writeln!(out, "answer        {state} at {}, by transfer {by}", at(awaited.answered)),
        None => writeln!(out, "answer        {state}, due {}, taken until {}", at(awaited.due), at(awaited.last)),
    }
}

fn one(transfer: &Transfer, deliveries: &[Delivery], users: &[User], names: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "id            {}", transfer.id)?;
    writeln!(out, "state         {}", transfer.state.name())?;
    writeln!(out, "sender        {}", named(users, transfer.sender))?;
    writeln!(out, "key           {}", transfer.fingerprint)?;
    if names {
        writeln!(out, "file          {}", transfer.name.spelt())?;
    }
    writeln!(out, "received      {}", transfer.received)?;
    if let Some(until) = transfer.wait_until {
        writeln!(out, "data until    {until}")?;
    }
    if !transfer.codes.is_empty() {
        writeln!(out, "codes         {} (docs/faults.md)", transfer.codes)?;
    }
    if let Some(earlier) = transfer.repeats {
        writeln!(out, "the same as   {earlier}, whose receipt its sender got")?;
    }
    for delivery in deliveries {
        let fetched = delivery.fetched.map_or(String::new(), |at| format!(", fetched {at}"));
        let ended = delivery.ended.map_or(String::new(), |at| format!(", ended {at}"));
        let (to, state, order) = (named(users, delivery.recipient), delivery.state.name(), delivery.order);
        writeln!(out, "recipient     {to}: {state}, delivered {}{fetched}{ended}, by route order {order}", delivery.delivered)?;
    }
    writeln!(out, "copy          {}", if transfer.content.is_some() { "kept" } else { "none" })
}
