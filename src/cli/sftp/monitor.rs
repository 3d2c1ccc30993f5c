//! `hjemmel sftp monitor`: monitoring orders, which are clean-up orders too.

use std::io::Write;

use jiff::Timestamp;
use uuid::Uuid;

use super::{CommandError, user_named};
use crate::agreements::Store;
use crate::cli::place::{Place, one_line, with_store};
use crate::cli::user::Decide;
use crate::clock::Clock;
use crate::decisions::{Because, By};
use crate::files::monitoring::{self, Monitoring};
use crate::files::users;
use crate::files::{decide, users::User};
use crate::store::Access;

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  hjemmel sftp monitor add OPUS_SIMPELSFTP --inf-ref SF1590_A_IF02-03 \\
    --rhythm-hours 24 --alarm-hours 8 --delete-days 30 \\
    --tell drift@example.dk --reason \"case 7\" --config hjemmel.toml
  hjemmel sftp monitor list --config hjemmel.toml
  hjemmel sftp monitor end ID --reason \"case 7\" --config hjemmel.toml")]
pub(super) enum Monitor {
    /// Add a monitoring order: from the next delivery on it takes the place of the route order's hours and days
    Add(Box<Add>),
    /// List those that hold: when the last file came, who is silent and why, what lies unfetched
    List,
    /// End one; files go by their route order again
    End {
        /// Its id
        id: Uuid,
        #[command(flatten)]
        decide: Decide,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The SFTP user
    user: String,
    /// The integration of the files, such as SF1590_A_IF02-03
    #[arg(long, value_name = "INFREF", required_unless_present = "pattern")]
    inf_ref: Option<String>,
    /// The names of the files, with * and ?
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<String>,
    /// Within how many hours a file is sent or received; left out: none is expected
    #[arg(long, value_name = "HOURS")]
    rhythm_hours: Option<i64>,
    /// Hours until an alarm for a file that was not fetched
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    alarm_hours: i64,
    /// Days until a file that still lies there is deleted: 11 to 60
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    delete_days: i64,
    /// The functional mailbox that is told; no person's own
    #[arg(long, value_name = "ADDRESS", value_parser = one_line)]
    tell: String,
    #[command(flatten)]
    decide: Decide,
}

/// An order with what there is to say of it.
struct Stands {
    order: Monitoring,
    user: String,
    silent: Option<(Timestamp, monitoring::Cause)>,
    unfetched: (u64, Option<Timestamp>),
}

pub(super) async fn run(command: Monitor, place: &Place, clock: &Clock, out: &mut impl Write) -> Result<(), CommandError> {
    let now = clock.now();
    let settings = place.settings(now)?;
    match command {
        Monitor::Add(add) => {
            let add = *add;
            let (name, id) = (add.user, Uuid::new_v4());
            let (signer, because) = (add.decide.signer()?, Because::new(add.decide.reason, now));
            with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                let user = user_named(store, &name).await?;
                let order = Monitoring {
                    id,
                    user: user.id,
                    inf_ref: add.inf_ref,
                    pattern: add.pattern,
                    rhythm_hours: add.rhythm_hours,
                    alarm_hours: add.alarm_hours,
                    delete_days: add.delete_days,
                    told: add.tell,
                    since: now,
                    last: None,
                    ended: None,
                };
                Ok(decide::monitor(store, signer.as_ref().map(By::Key), &user, order, &because).await?)
            })
            .await?;
            writeln!(out, "monitoring order {id} holds; `hjemmel sftp monitor list` says where it stands")?;
        }
        Monitor::List => {
            let all = with_store(&settings, Access::Look, async |store| standing(store, now).await).await?;
            if all.is_empty() {
                writeln!(out, "There are no monitoring orders. Add one with `hjemmel sftp monitor add`.")?;
            }
            for stands in all {
                one(&stands, out)?;
            }
        }
        Monitor::End { id, decide } => {
            let (signer, because) = (decide.signer()?, Because::new(decide.reason, now));
            with_store::<_, CommandError>(&settings, Access::Change, async |store| {
                Ok(decide::end_monitoring(store, signer.as_ref().map(By::Key), id, &because).await?)
            })
            .await?;
            writeln!(out, "monitoring order {id} has ended")?;
        }
    }
    Ok(())
}

async fn standing(store: &Store, now: Timestamp) -> Result<Vec<Stands>, CommandError> {
    let mut session = store.database().session().await?;
    let users: Vec<User> = users::all(&mut session).await?;
    let mut all = Vec::new();
    for order in monitoring::all(&mut session).await? {
        let Some(user) = users.iter().find(|user| user.id == order.user) else { continue };
        let silent = match order.silent_since(now) {
            Some(since) => Some((since, monitoring::cause(&mut session, user, since, now).await?)),
            None => None,
        };
        let unfetched = monitoring::unfetched(&mut session, user.id, now).await?;
        all.push(Stands { order, user: user.name.clone(), silent, unfetched });
    }
    Ok(all)
}

fn one(Stands { order, user, silent, unfetched }: &Stands, out: &mut impl Write) -> std::io::Result<()> {
    let of = order.inf_ref.iter().chain(&order.pattern).cloned().collect::<Vec<_>>().join(" ");
    let rhythm = order.rhythm_hours.map_or("no rhythm".to_owned(), |hours| format!("every {hours} h"));
    let last = order.last.map_or("none yet".to_owned(), |at| at.to_string());
    let (alarm, delete) = (order.alarm_hours, order.delete_days);
    writeln!(
        out,
        "{}  {user}  {of}  {rhythm}, alarm after {alarm} h, deleted after {delete} days, tells {}",
        order.id, order.told
    )?;
    writeln!(out, "    last file     {last}")?;
    if let Some((since, cause)) = silent {
        writeln!(out, "    SILENT        since {since}: {}", cause.describe().en())?;
    }
    if let (number @ 1.., Some(oldest)) = unfetched {
        writeln!(out, "    UNFETCHED     {number} files of this user beyond their hours, the oldest delivered {oldest}")?;
    }
    Ok(())
}
