//! `hjemmel verify-connection`: the steps of a verification test, from what the specialist system kept of it and what the
//! platform's log has of it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use uuid::Uuid;

use super::audit::delivery::{Went, calls_of, is_accepted, print_end, steps};
use super::call::verify::Report;
use super::place::{Place, PlaceError, with_store};
use crate::agreements::{AgreementError, Store};
use crate::audit::Record;
use crate::audit::search::Followed;
use crate::clock::Clock;
use crate::connection::decide;
use crate::connection::shown::View;
use crate::store::{Access, StoreError};

/// The steps of a verification test, each done or missing, and what to mend.
///
/// The specialist system starts the test with its own key: `hjemmel call finance --verify --report FILE`. Its report says where each code landed; the
/// platform's audit log says how far the delivery came. Either alone shows its own steps.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hjemmel verify-connection --report report.json /var/lib/hjemmel/audit
  hjemmel verify-connection --report report.json
  hjemmel verify-connection --delivery ID /var/lib/hjemmel/audit
  hjemmel verify-connection --report report.json --connection ID --config hjemmel.toml /var/lib/hjemmel/audit")]
pub struct Args {
    /// What `hjemmel call finance --verify --report FILE` has kept
    #[arg(long, value_name = "FILE", required_unless_present = "delivery")]
    report: Option<PathBuf>,
    /// The delivery's id, or the call id of a fault; that of the report unless given
    #[arg(long, value_name = "ID")]
    delivery: Option<Uuid>,
    /// The connection that was tested: its test is seen done where no step is missing (needs an AUDIT-DIR, and --config or --store)
    #[arg(long, value_name = "ID", requires = "audit")]
    connection: Option<Uuid>,
    #[command(flatten)]
    place: Place,
    /// The audit folders of the platform's nodes
    #[arg(value_name = "AUDIT-DIR")]
    audit: Vec<PathBuf>,
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum CommandError {
    #[error("{path}: {error}; name the file that `hjemmel call finance --verify --report FILE` wrote")]
    Report {
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A log cannot be read, or the output not written.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is not known where the store is.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such connection.
    #[error("there is no connection {0} that is looked after; `hjemmel connection list` shows them")]
    NoConnection(Uuid),
    /// The delivery came by another's agreement.
    #[error(
        "the delivery came by an agreement of another system, authority, service or environment than the connection's; name the connection that was tested"
    )]
    OtherConnection,
}

/// Carries out the command. It fails where a step is missing.
///
/// # Errors
/// [`CommandError`].
pub async fn run(args: &Args, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let read = |path: &PathBuf| Report::kept(path).map_err(|error| CommandError::Report { path: path.clone(), error });
    let report = args.report.as_ref().map(read).transpose()?;
    let id = args.delivery.or(report.as_ref().map(|report| report.delivery)).unwrap_or_default();
    let mut told = Told { out, missing: 0 };
    match &report {
        Some(report) => told.step(Some(true), "test sent", &report.announcement())?,
        None => told.step(None, "test sent", "the specialist system's report says; give it with --report")?,
    }
    let mut accepted = None;
    match args.audit.as_slice() {
        [] => {
            let more = format!("the platform's operator sees: hjemmel verify-connection --delivery {id} AUDIT-DIR");
            told.step(None, "way through the platform", &more)?;
        }
        dirs => accepted = platform(id, dirs, &mut told)?,
    }
    match &report {
        Some(report) => {
            let landed = report.landed == report.codes;
            let more = format!("{} of {} codes landed on an account", report.landed, report.codes);
            told.step(Some(landed), "every code landed", &more)?;
            if !landed {
                report.write_missed(told.out)?;
            }
        }
        None => told.step(None, "every code landed", "the specialist system's report says where; give it with --report")?,
    }
    match told.missing {
        0 => {
            if let (Some(connection), Some(record)) = (args.connection, accepted) {
                let now = clock.now();
                let mark = async |store: &Store| mark(store, connection, &record, now).await;
                let view = with_store(&args.place.settings(now)?, Access::Change, mark).await?;
                let (done, of) = view.done();
                told.step(Some(true), "connection", &format!("its test is seen done, {done} of {of} tasks"))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        missing => {
            writeln!(told.out, "{missing} steps are missing; mend the first, and run the test again")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Keeps that a connection's test was accepted, where the call came by its own agreement.
pub(super) async fn mark(store: &Store, id: Uuid, record: &Record, now: Timestamp) -> Result<View, CommandError> {
    let none = || CommandError::NoConnection(id);
    let connection = store.connection(id, now).await?.filter(|known| known.ended.is_none()).ok_or_else(none)?;
    let agreement = match record.front_agreement {
        Some(agreement) => store.get(agreement).await.map_err(|error| match error {
            AgreementError::Store(error) => CommandError::Store(error),
            _ => CommandError::OtherConnection,
        })?,
        None => return Err(CommandError::OtherConnection),
    };
    let own = agreement.system == connection.client
        && agreement.authority == connection.authority
        && agreement.service == connection.service
        && agreement.environment == connection.environment;
    if !own {
        return Err(CommandError::OtherConnection);
    }
    decide::saw_test(store, &connection, record.opened_at).await?;
    store.connection_view(id, now).await?.ok_or_else(none)
}

/// How far the delivery came: of several calls the last that was not answered from memory, for a sender tries again.
fn platform<W: Write>(id: Uuid, dirs: &[PathBuf], told: &mut Told<'_, W>) -> Result<Option<Record>, CommandError> {
    let (calls, unreadable) = calls_of(id, dirs)?;
    if unreadable > 0 {
        writeln!(told.out, "  WARNING  {unreadable} lines could not be read; run `hjemmel audit verify`")?;
    }
    let from_memory =
        |call: &&Followed| call.record.about.finance().is_some_and(|about| about.pass.repeated || about.figures.repeated);
    let Some(Followed { record, .. }) = calls.iter().rev().find(|call| !from_memory(call)).or(calls.last()) else {
        let more = format!(
            "the logs have no delivery and no call {id}: look at the sender's SERVICE and certificate; where a fault came back, give its call id with --delivery"
        );
        told.step(Some(false), "received by the platform", &more)?;
        return Ok(None);
    };
    told.step(Some(true), "received by the platform", &format!("call {} at {}", record.call, record.opened_at))?;
    for (step, went) in steps(record) {
        told.step(Some(went == Went::Done), step, if went == Went::Failed { "it refused" } else { "" })?;
    }
    told.step(Some(is_accepted(record)), "accepted by the ledger", "")?;
    if !is_accepted(record) {
        print_end(record, told.out)?;
    }
    Ok(is_accepted(record).then(|| record.clone()))
}

struct Told<'o, W> {
    out: &'o mut W,
    missing: usize,
}

impl<W: Write> Told<'_, W> {
    /// A step that is done or missing, or that only the other side sees.
    fn step(&mut self, done: Option<bool>, step: &str, more: &str) -> io::Result<()> {
        self.missing += usize::from(done == Some(false));
        let verdict = match done {
            Some(true) => "done",
            Some(false) => "MISSING",
            None => "unseen",
        };
        writeln!(self.out, "  {verdict:<7}  {step}{}{more}", if more.is_empty() { "" } else { ": " })
    }
}
