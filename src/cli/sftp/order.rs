//! `hjemmel sftp order`: the agreement for files.

use std::io::Write;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{CommandError, user_named};
use crate::agreements::route::day;
use crate::agreements::{State, Store};
use crate::cli::person::Person;
use crate::cli::place::{Place, one_line, with_store};
use crate::clock::{Clock, civil_day};
use crate::decisions::{Because, By};
use crate::files::decide;
use crate::files::orders::{self, OrderError};
use crate::files::users;
use crate::id::cvr::Cvr;
use crate::store::{Access, StoreError};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Order {
    /// Request a route order; the recipient's authority approves it
    Request(Box<Request>),
    /// List route orders: from whom, to whom, for what, and where each stands
    List,
    /// Show one route order: the text that is signed when it is decided on
    Show {
        /// Its id
        id: Uuid,
    },
    /// Approve one, as a signatory of the recipient's authority
    Approve(Decide),
    /// Reject a request
    Reject(Decide),
    /// Take a request back
    Withdraw(Decide),
    /// Suspend one: files by it are refused with 1032 until it is resumed
    Suspend(Decide),
    /// Resume a suspended one
    Resume(Decide),
    /// End one for good
    End(Decide),
}

#[derive(Debug, clap::Args)]
pub(super) struct Decide {
    /// Its id
    id: Uuid,
    #[command(flatten)]
    who: Who,
}

/// Who decides, and why.
#[derive(Debug, clap::Args)]
struct Who {
    #[command(flatten)]
    person: Person,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Request {
    /// The sending SFTP user
    #[arg(long, value_name = "USER")]
    from: String,
    /// The receiving SFTP user
    #[arg(long, value_name = "USER")]
    to: String,
    /// The integration, such as SF1590_A_IF02-03; files that leave the recipient to the route are found by it
    #[arg(long, value_name = "INFREF", required_unless_present = "pattern")]
    inf_ref: Option<String>,
    /// The names of the files, with * and ?
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<String>,
    /// The authority that is sent for
    #[arg(long, value_name = "CVR")]
    sender_authority: Cvr,
    /// The authority that receives, and approves
    #[arg(long, value_name = "CVR")]
    recipient_authority: Cvr,
    /// The paragraph
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    legal_basis: String,
    /// The purpose
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    purpose: String,
    /// The first day; today unless given
    #[arg(long, value_name = "DAY", value_parser = day)]
    valid_from: Option<Date>,
    /// The first day on which it no longer holds; left out: no end
    #[arg(long, value_name = "DAY", value_parser = day)]
    valid_to: Option<Date>,
    /// The largest file, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 2_000_000_000, value_parser = clap::value_parser!(u64).range(1..=i64::MAX as u64))]
    largest: u64,
    /// Days that a copy is kept after the recipient is done, for delivering again: 0 to 30
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    keep_days: i64,
    /// Hours until an alarm for a file that was not fetched
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    alarm_hours: i64,
    /// Days until a file that still lies at the recipient is deleted: 11 to 60
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    delete_days: i64,
    #[command(flatten)]
    who: Who,
}

pub(super) async fn run(command: Order, place: &Place, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let now = clock.now();
    let settings = place.settings(now)?;
    let (decided, to) = match command {
        Order::Request(request) => {
            let done = with_store(&settings, Access::Change, async |store| requested(store, *request, now).await).await?;
            writeln!(out, "requested route order {}; a signatory of {} approves it", done.id, done.recipient_authority)?;
            return Ok(());
        }
        Order::List => {
            let list = async |store: &Store| -> Result<_, CommandError> {
                let mut session = store.database().session().await?;
                Ok((orders::all(&mut session).await?, users::all(&mut session).await?))
            };
            let (orders, users) = with_store(&settings, Access::Look, list).await?;
            let name = |id: Uuid| users.iter().find(|user| user.id == id).map_or("-", |user| user.name.as_str());
            if orders.is_empty() {
                writeln!(out, "There are no route orders. Request one with `hjemmel sftp order request`.")?;
            }
            for order in orders {
                let of = order.inf_ref.iter().chain(&order.pattern).cloned().collect::<Vec<_>>().join(" ");
                let (from, to, state) = (name(order.sender), name(order.recipient), order.state.wire_name());
                writeln!(out, "{}  {state:10}  {from} → {to}  {of}", order.id)?;
            }
            return Ok(());
        }
        Order::Show { id } => {
            let order = with_store(&settings, Access::Look, async |store| one(store, id).await).await?;
            write!(out, "{}", decide::text(&order))?;
            return Ok(());
        }
        Order::Approve(decided) => (decided, State::Approved),
        Order::Reject(decided) => (decided, State::Rejected),
        Order::Withdraw(decided) => (decided, State::Withdrawn),
        Order::Suspend(decided) => (decided, State::Suspended),
        Order::Resume(decided) => (decided, State::Approved),
        Order::End(decided) => (decided, State::Terminated),
    };
    let signer = decided.who.person.signer()?;
    let because = Because::new(decided.who.reason, now);
    with_store::<_, CommandError>(&settings, Access::Change, async |store| {
        let shown = one(store, decided.id).await?;
        Ok(decide::decide(store, By::Key(&signer), &shown, to, &because).await?)
    })
    .await?;
    writeln!(out, "route order {} is {}", decided.id, to.wire_name())?;
    Ok(())
}

async fn one(store: &Store, id: Uuid) -> Result<orders::Order, CommandError> {
    Ok(orders::with_id(&mut store.database().session().await?, id).await?)
}

async fn requested(store: &Store, request: Request, now: Timestamp) -> Result<orders::Order, CommandError> {
    let signer = request.who.person.signer()?;
    let today = civil_day(now).ok_or(StoreError::Unreadable { column: "today" })?;
    let (from, to) = (user_named(store, &request.from).await?, user_named(store, &request.to).await?);
    if from.environment != to.environment {
        return Err(OrderError::Unsound("sender and recipient are users of different environments").into());
    }
    let order = orders::Order {
        id: Uuid::new_v4(),
        state: State::Requested,
        sender: from.id,
        recipient: to.id,
        sender_authority: request.sender_authority,
        recipient_authority: request.recipient_authority,
        inf_ref: request.inf_ref,
        pattern: request.pattern,
        legal_basis: request.legal_basis,
        purpose: request.purpose,
        valid_from: request.valid_from.unwrap_or(today),
        valid_to: request.valid_to,
        largest_bytes: request.largest,
        keep_days: request.keep_days,
        alarm_hours: request.alarm_hours,
        delete_days: request.delete_days,
    };
    let because = Because::new(request.who.reason, now);
    Ok(decide::request(store, By::Key(&signer), order, &because).await?)
}
