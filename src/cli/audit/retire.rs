//! `hjemmel audit retire`: what is too old goes, from the node's disk or from the archive, and a signed statement stays.

use std::io::Write;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use uuid::Uuid;

use super::super::person::Person;
use super::given::{self, wait};
use super::{AuditError, print_retirement};
use crate::agreements::Store;
use crate::audit::place::Folder;
use crate::audit::retire::{self, Decision, Plan, RetireError};
use crate::audit::{anchors, keys};
use crate::decisions::statement::Signer;
use crate::decisions::{Because, By, retired};
use crate::services::Service;
use crate::store::Access;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The gateway's configuration file, for [audit] directory, checkpoint_key, retention_days and archive
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Remove what was written before this day (Europe/Copenhagen), such as 2021-12-01
    #[arg(long, value_name = "DATE")]
    before: Date,
    /// The certificate (PEM) of the operator who decides, a user of the store (`hjemmel user add`)
    #[arg(long, value_name = "FILE", required_unless_present = "by")]
    signed_certificate: Option<PathBuf>,
    /// Its key (PEM), which signs the decision
    #[arg(long, value_name = "FILE", required_unless_present = "by")]
    signed_key: Option<PathBuf>,
    /// Gone: a name proves nobody
    #[arg(long, value_name = "NAME", hide = true)]
    by: Option<String>,
    /// Why, for the statement
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// checkpoint.pub of a key that signed an earlier part of the log, or another node's; may be given again
    #[arg(long, value_name = "PUB")]
    key: Vec<PathBuf>,
    /// From the archive, of every node's log there, rather than from this node's disk
    #[arg(long)]
    archive: bool,
    /// Remove them; without this the command only tells what it would remove
    #[arg(long)]
    yes: bool,
}

/// An operator, and the store in which the decision is made.
struct Deciding {
    store: Store,
    signer: Signer,
    because: Because,
}

impl Deciding {
    async fn of(args: &Args, now: Timestamp) -> Result<Self, AuditError> {
        if args.by.is_some() {
            return Err(AuditError::ByIsGone);
        }
        let signer = Person::of(&args.signed_certificate, &args.signed_key).signer()?;
        let settings = crate::config::store_of::<Service>(&args.config, now).map_err(AuditError::Config)?;
        let access = if args.yes { Access::Change } else { Access::Look };
        let store = Store::open_to(access, &settings).await?;
        Ok(Self { store, signer, because: Because::new(args.reason.clone(), now) })
    }

    /// The user by id, and not by name: who that is stands with the user.
    async fn who(&self) -> Result<String, AuditError> {
        let actor = retired::who(&self.store, By::Key(&self.signer), &self.because).await?;
        Ok(format!("user {}", actor.user().id))
    }

    /// Decides what a plan states; files that are only left behind were decided on before.
    async fn decide(&self, log: Uuid, plan: &Plan) -> Result<(), AuditError> {
        match &plan.statement {
            Some(statement) => Ok(retired::decide(&self.store, By::Key(&self.signer), log, statement, &self.because).await?),
            None => Ok(()),
        }
    }
}

/// Runs it.
///
/// # Errors
/// [`AuditError`]; nothing was removed then, or what had been stated.
pub fn run(args: &Args, now: Timestamp, out: &mut impl Write) -> Result<(), AuditError> {
    let deciding = wait(Deciding::of(args, now))?;
    let ran = run_by(&deciding, args, now, out);
    wait(deciding.store.close());
    ran
}

fn run_by(deciding: &Deciding, args: &Args, now: Timestamp, out: &mut impl Write) -> Result<(), AuditError> {
    let audit = crate::config::load::<Service>(&args.config, now).map_err(AuditError::Config)?.config.audit;
    let kept = |days: u64| -> Result<Timestamp, AuditError> {
        let days = i64::try_from(days).unwrap_or(i64::MAX);
        Ok(now.to_zoned(TimeZone::get("Europe/Copenhagen")?).checked_sub(Span::new().try_days(days)?)?.timestamp())
    };
    // What is in the archive may leave this disk earlier than records may go.
    let local_days = audit.archive.as_ref().map_or(0, |archive| archive.local_days).min(match audit.retention_days {
        0 => u64::MAX,
        days => days,
    });
    let days = if args.archive || local_days == 0 { audit.retention_days } else { local_days };
    if days == 0 {
        return Err(AuditError::NoRetention);
    }
    let before = args.before.to_zoned(TimeZone::get("Europe/Copenhagen")?)?.timestamp();
    let decision = Decision { before, kept_from: kept(days)?, by: wait(deciding.who())?, reason: args.reason.clone() };
    let own = keys::checkpoint_key(&audit.checkpoint_key)?;
    let mut known = vec![own.public()];
    for path in &args.key {
        known.push(keys::checkpoint_public_key(path)?);
    }
    let archive = match (&audit.archive, args.archive) {
        (Some(_), _) => Some(given::archive(&args.config, now)?),
        (None, true) => return Err(AuditError::NoArchive(args.config.clone())),
        (None, false) => None,
    };
    match archive {
        Some(archive) if args.archive => {
            let mut any = false;
            for log in wait(archive.every_log())? {
                let plan = match retire::plan(&log, &own, &known, &decision, now) {
                    Err(RetireError::Nothing) => continue,
                    plan => plan?,
                };
                any = true;
                if args.yes {
                    wait(deciding.decide(log.name(), &plan))?;
                    wait(archive.retire(&log, &plan))?;
                }
                writeln!(out, "log {}", log.name())?;
                print(args.yes, &plan, out)?;
            }
            if any { Ok(()) } else { Err(RetireError::Nothing.into()) }
        }
        archive => {
            let plan = retire::plan(&Folder(audit.directory.clone()), &own, &known, &decision, now)?;
            if let Some(archive) = archive {
                wait(archive.holds(&audit.directory, &known, &plan))?;
            }
            if args.yes {
                wait(deciding.decide(anchors::named(&audit.directory)?, &plan))?;
                retire::retire(&audit.directory, &plan)?;
            }
            print(args.yes, &plan, out)
        }
    }
}

fn print(done: bool, plan: &retire::Plan, out: &mut impl Write) -> Result<(), AuditError> {
    if let Some(statement) = &plan.statement {
        print_retirement(if done { "were retired" } else { "would be retired" }, statement, out)?;
    }
    match done {
        true => writeln!(out, "{} segment files were removed.", plan.files)?,
        false => writeln!(out, "Nothing was removed yet; give --yes to remove {} segment files.", plan.files)?,
    }
    Ok(())
}
