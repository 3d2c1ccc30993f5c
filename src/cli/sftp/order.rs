//! `hjemmel sftp order`: the agreement for files.

use std::io::{BufRead, Write};

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{CommandError, user_named};
use crate::agreements::route::day;
use crate::agreements::{State, Store};
use crate::cli::ask::agreed;
use crate::cli::person::Person;
use crate::cli::place::{Place, one_line, with_store};
use crate::clock::{Clock, civil_day};
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, DecideError};
use crate::files::decide;
use crate::files::orders::{self, OrderError};
use crate::files::users::{self, User};
use crate::id::cvr::Cvr;
use crate::refusal::api::ApiRefusal;
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
    /// Approve one, as a signatory of the recipient's authority; shows it and asks first
    Approve(Open),
    /// Reject a request
    Reject(Decide),
    /// Take a request back
    Withdraw(Decide),
    /// Suspend one: files by it are refused with 1032 until it is resumed
    Suspend(Decide),
    /// Resume a suspended one; shows it and asks first
    Resume(Open),
    /// End one for good
    End(Decide),
}

#[derive(Debug, clap::Args)]
pub(super) struct Decide {
    /// Its id
    id: Uuid,
    #[command(flatten)]
    who: Who,
    /// SHA-256 of the text that was looked at (`hjemmel sftp order show`): of any other nothing is decided
    #[arg(long, value_name = "SHA256")]
    shown: Option<String>,
}

/// A decision that lets files through.
#[derive(Debug, clap::Args)]
pub(super) struct Open {
    #[command(flatten)]
    decide: Decide,
    /// Do not ask, as in a script
    #[arg(long)]
    yes: bool,
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

pub(super) async fn run(
    command: Order,
    place: &Place,
    clock: &Clock,
    operator: Option<&mut dyn BufRead>,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let now = clock.now();
    let settings = place.settings(now)?;
    let (decided, to, ask) = match command {
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
            let (order, users) = with_store(&settings, Access::Look, async |store| with_users(store, id).await).await?;
            let digest = print_signed_text(&order, &users, out)?;
            writeln!(out, "tekst: {digest} (SHA-256, as --shown takes it)")?;
            return Ok(());
        }
        Order::Approve(open) => (open.decide, State::Approved, (!open.yes).then_some("Approve this route order")),
        Order::Reject(decided) => (decided, State::Rejected, None),
        Order::Withdraw(decided) => (decided, State::Withdrawn, None),
        Order::Suspend(decided) => (decided, State::Suspended, None),
        Order::Resume(open) => (open.decide, State::Approved, (!open.yes).then_some("Resume this route order")),
        Order::End(decided) => (decided, State::Terminated, None),
    };
    let signer = decided.who.person.signer()?;
    let because = Because::new(decided.who.reason, now);
    with_store::<_, CommandError>(&settings, Access::Change, async |store| {
        let who = signer.actor(store, now).await.map_err(DecideError::from)?;
        let (shown, users) = with_users(store, decided.id).await?;
        let digest = print_signed_text(&shown, &users, out)?;
        if decided.shown.is_some_and(|seen| !seen.eq_ignore_ascii_case(&digest)) {
            return Err(DecideError::from(ApiRefusal::ApiShownDiffers).into());
        }
        if let Some(question) = ask {
            agreed(&format!("{question}, decided by {}: {}", who.user().name, because.reason), operator, out)?;
        }
        Ok(decide::decide(store, By::Key(&signer), &shown, to, &because).await?)
    })
    .await?;
    writeln!(out, "route order {} is {}", decided.id, to.wire_name())?;
    Ok(())
}

/// An order, its sender and its recipient.
async fn with_users(store: &Store, id: Uuid) -> Result<(orders::Order, [Option<User>; 2]), CommandError> {
    let mut session = store.database().session().await?;
    let order = orders::with_id(&mut session, id).await?;
    let sender = users::with_id(&mut session, order.sender).await?;
    let recipient = users::with_id(&mut session, order.recipient).await?;
    Ok((order, [sender, recipient]))
}

/// Shows who the users are and the text that is signed, and gives its digest.
fn print_signed_text(order: &orders::Order, users: &[Option<User>; 2], out: &mut impl Write) -> std::io::Result<String> {
    for (user, what) in users.iter().zip(["from", "to"]) {
        let Some(user) = user else { continue };
        writeln!(out, "{what:13} {} (it-system {}, CVR {}, {})", user.name, user.system, user.authority, user.environment)?;
    }
    let text = decide::text(order);
    let digest = sha256(&text);
    writeln!(out, "\nThe text that is signed (SHA-256 {digest}):\n{text}")?;
    Ok(digest)
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
