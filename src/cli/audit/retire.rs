//! `hjemmel audit retire`: what is too old goes, from the node's disk or from the archive, and a signed statement stays.

use std::io::Write;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::given::{self, wait};
use super::{AuditError, tell_retirement};
use crate::audit::keys;
use crate::audit::place::Folder;
use crate::audit::retire::{self, Decision, RetireError};
use crate::services::Service;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The gateway's configuration file, for [audit] directory, checkpoint_key, retention_days and archive
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Remove what was written before this day (Europe/Copenhagen), such as 2021-12-01
    #[arg(long, value_name = "DATE")]
    before: Date,
    /// Who decided, for the statement
    #[arg(long, value_name = "NAME")]
    by: String,
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

/// Runs it.
///
/// # Errors
/// [`AuditError`]; nothing was removed then, or what had been stated.
pub fn run(args: &Args, now: Timestamp, out: &mut impl Write) -> Result<(), AuditError> {
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
    let (by, reason) = (args.by.clone(), args.reason.clone());
    let decision = Decision { before, kept_from: kept(days)?, by, reason };
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
                    wait(archive.retire(&log, &plan))?;
                }
                writeln!(out, "log {}", log.name())?;
                tell(args.yes, &plan, out)?;
            }
            if any { Ok(()) } else { Err(RetireError::Nothing.into()) }
        }
        archive => {
            let plan = retire::plan(&Folder(audit.directory.clone()), &own, &known, &decision, now)?;
            if let Some(archive) = archive {
                wait(archive.holds(&audit.directory, &known, &plan))?;
            }
            if args.yes {
                retire::retire(&audit.directory, &plan)?;
            }
            tell(args.yes, &plan, out)
        }
    }
}

fn tell(done: bool, plan: &retire::Plan, out: &mut impl Write) -> Result<(), AuditError> {
    if let Some(statement) = &plan.statement {
        tell_retirement(if done { "were retired" } else { "would be retired" }, statement, out)?;
    }
    match done {
        true => writeln!(out, "{} segment files were removed.", plan.files)?,
        false => writeln!(out, "Nothing was removed yet; give --yes to remove {} segment files.", plan.files)?,
    }
    Ok(())
}
