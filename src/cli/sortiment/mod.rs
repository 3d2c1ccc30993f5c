//! `hjemmel sortiment`: value lists. Import one, publish it, and say who gets it.

mod print;
mod subscribe;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::made;
use super::person::{Person, PersonError};
use super::place::{Place, PlaceError, one_line, with_store};
use crate::agreements::Store;
use crate::audit::Subject;
use crate::clock::{Clock, civil_day};
use crate::decisions::{Because, By};
use crate::id::cvr::Cvr;
use crate::services::finance::lists::draft::{self, DraftError, Imported};
use crate::services::finance::lists::publish::{DAYS, Notice, Proposal, PublishError};
use crate::services::finance::lists::subscription::SubscriptionError;
use crate::services::finance::rules::sortiment::{List, Part, csv, describe, xml};
use crate::services::finance::shelf::{NotAdded, Shelf};
use crate::store::{Access, StoreError};

/// Value lists (sortimenter) of SF1590_A Finans: which codes a specialist system may send.
///
/// They lie in the gateway's store. `import` makes a draft; another person publishes it, ahead of the day on which it takes
/// force. A common list is imported and published by operators, an authority's supplement published by its sortiment
/// administrator; an operator may import it for them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file is one version: XML, or a table that Excel saved as \"CSV UTF-8\" (columns Delsortiment;Kode;Navn;KlasseUUID;Foelsomhedsniveau;\
GyldigFra;GyldigTil), of which the options say what it is.

Examples:
  hjemmel sortiment import art.csv --uuid 1c5b4a56-0b9e-4d0f-8f5c-5a0f1590a001 --navn \"Sociale ydelser\" \\
    --version 2027.1 --from 2027-01-01 --reason \"sag 7\" --certificate drift.pem --key drift.key.pem --config hjemmel.toml
  hjemmel sortiment diff ID --config hjemmel.toml
  hjemmel sortiment publish ID --reason \"sag 7\" --certificate kollega.pem --key kollega.key.pem --config hjemmel.toml
  hjemmel sortiment subscribe --authority 11111111 --system 3053ec89-31fe-4206-878b-bba6783d7a88 --structure 1 \\
    --reason \"sag 8\" --certificate drift.pem --key drift.key.pem --config hjemmel.toml")]
pub struct Args {
    #[command(flatten)]
    place: Place,
    /// The service, by UUID or with --config by name; left out: the one with value lists
    #[arg(long, global = true, value_name = "NAME|UUID")]
    service: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring in a version as a draft, checked, and say what it changes; another person publishes it
    Import(Box<Import>),
    /// List the versions of the store: drafts, published, in force; of each who decided on it, and why
    List,
    /// Show a version, or every version in a folder
    Show {
        /// A version's id in the store; or a file, XML; or a folder of them
        which: PathBuf,
        /// As XML, which `import` reads
        #[arg(long)]
        xml: bool,
    },
    /// What a version widens and narrows against another
    Diff {
        /// The version: its id in the store, or a file; of two, the one of before
        first: PathBuf,
        /// The new one; left out: the first against the published one before it
        second: Option<PathBuf>,
    },
    /// Publish a draft: from then on it stays, and its codes are known on its days
    Publish {
        /// Its id in the store
        id: Uuid,
        /// Publish it although it takes force in fewer days than are needed
        #[arg(long)]
        sooner: bool,
        /// How many days ahead it must be; what the configuration says, or 30, unless given
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(0..=365))]
        notice: Option<u16>,
        /// Why, in a sentence
        #[arg(long, value_name = "TEXT", value_parser = one_line)]
        reason: String,
        #[command(flatten)]
        person: Person,
    },
    /// Remove a draft
    Drop {
        /// Its id in the store
        id: Uuid,
        /// Why, in a sentence
        #[arg(long, value_name = "TEXT", value_parser = one_line)]
        reason: String,
        #[command(flatten)]
        person: Person,
    },
    /// Let a system get each version that is published
    Subscribe(subscribe::Subscribe),
    /// List the subscriptions, and what waits to be delivered
    Subscriptions,
    /// End a subscription
    Unsubscribe {
        /// The subscription
        id: Uuid,
        /// Why, in a sentence
        #[arg(long, value_name = "TEXT", value_parser = one_line)]
        reason: String,
        #[command(flatten)]
        person: Person,
    },
}

#[derive(Debug, clap::Args)]
struct Import {
    /// The file: .xml or .csv
    file: PathBuf,
    /// A folder of files in the place of the store, for a service whose `sortiment` names it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["store", "config", "certificate", "key", "delegation", "reason"])]
    into: Option<PathBuf>,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line, required_unless_present = "into")]
    reason: Option<String>,
    /// The certificate (PEM) of the person who imports, a user of the store (`hjemmel user add`)
    #[arg(long, value_name = "FILE", required_unless_present = "into")]
    certificate: Option<PathBuf>,
    /// Its key (PEM), which signs the import
    #[arg(long, value_name = "FILE", required_unless_present = "into")]
    key: Option<PathBuf>,
    /// The delegation by which the person imports for a colleague (`hjemmel user delegations`); left out: in their own right
    #[arg(long, value_name = "UUID")]
    delegation: Option<Uuid>,
    /// CSV: the id of the value list
    #[arg(long, value_name = "UUID")]
    uuid: Option<Uuid>,
    /// CSV: its name
    #[arg(long, value_name = "TEXT")]
    navn: Option<String>,
    /// CSV: the version
    #[arg(long, value_name = "TEXT")]
    version: Option<String>,
    /// CSV: the first day on which it holds, as 2027-01-01
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// CSV: the last day
    #[arg(long, value_name = "DAY")]
    to: Option<Date>,
    /// CSV: the authority whose supplement it is
    #[arg(long, value_name = "CVR")]
    authority: Option<Cvr>,
    /// CSV: a part list that authorities may supplement; may be repeated
    #[arg(long, value_name = "DELSORTIMENT")]
    supplement: Vec<String>,
    /// CSV: a part list whose codes demand a party; may be repeated
    #[arg(long, value_name = "DELSORTIMENT")]
    party: Vec<String>,
}

/// Why the command did not do as asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum CommandError {
    /// It is not known where the store is, or for which service.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Who decides.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// The version cannot be imported, or the draft not removed.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// It cannot be added to the folder.
    #[error(transparent)]
    NotAdded(#[from] NotAdded),
    /// It cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The subscription cannot be so.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// What is wrong with what was given.
    #[error("{0}")]
    Given(String),
    #[error("{}", crate::cli::file::describe(path, error))]
    File {
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Carries out the command.
///
/// # Errors
/// [`CommandError`]; nothing was changed then.
pub async fn run(args: Args, clock: &Clock, out: &mut impl Write) -> Result<ExitCode, CommandError> {
    let now = clock.now();
    let Args { place, service, command } = args;
    let house = House { place, service, now };
    match command {
        Command::Import(import) => match &import.into {
            Some(folder) => into_folder(&import, folder, out)?,
            None => house.import(&import, out).await?,
        },
        Command::List => house.list(out).await?,
        Command::Show { which, xml } => house.show(&which, xml, out).await?,
        Command::Diff { first, second } => house.diff(&first, second.as_deref(), out).await?,
        Command::Publish { id, sooner, notice, reason, person } => {
            let signer = person.signer()?;
            let days = notice.unwrap_or_else(|| house.notice());
            let because = Because::new(reason, now);
            let done = house.within(Access::Change, async |store| {
                let proposal = Proposal::of(store, id).await?;
                let published = proposal.publish(store, By::Key(&signer), Notice { days, sooner }, &because, None).await?;
                Ok((proposal, published))
            });
            let (proposal, published) = done.await?;
            print::proposal(&proposal, out)?;
            writeln!(
                out,
                "{} is published, {} days ahead; it holds from {}",
                proposal.head, published.ahead, proposal.head.from
            )?;
            print::deliveries(&published.deliveries, out)?;
        }
        Command::Drop { id, reason, person } => {
            let (signer, because) = (person.signer()?, Because::new(reason, now));
            let removed =
                house.within(Access::Change, async |store| Ok(draft::remove(store, id, By::Key(&signer), &because, None).await?));
            writeln!(out, "the draft {} is removed, {id}", removed.await?)?;
        }
        Command::Subscribe(subscribe) => house.subscribe(subscribe, out).await?,
        Command::Subscriptions => house.subscriptions(out).await?,
        Command::Unsubscribe { id, reason, person } => {
            let (signer, because) = (person.signer()?, Because::new(reason, now));
            let ended = house.within(Access::Change, async |store| {
                let subscription = store.sortiment_subscription(id).await?;
                Ok(subscription.end(store, By::Key(&signer), &because, None).await?)
            });
            ended.await?;
            writeln!(out, "subscription {id} ended; what is written down to be delivered still is")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the store is, and for which service.
struct House {
    place: Place,
    service: Option<String>,
    now: Timestamp,
}

impl House {
    async fn within<T>(
        &self,
        access: Access,
        work: impl AsyncFnOnce(&Store) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        with_store(&self.place.settings(self.now)?, access, work).await
    }

    fn service(&self) -> Result<Uuid, CommandError> {
        Ok(self.place.finance_service(self.service.as_deref(), self.now)?)
    }

    fn notice(&self) -> u16 {
        let service = self.service().ok();
        self.place.finance(self.now).iter().find(|(uuid, _)| Some(*uuid) == service).map_or(DAYS, |(_, notice)| *notice)
    }

    async fn import(&self, import: &Import, out: &mut impl Write) -> Result<(), CommandError> {
        let (service, list, days) = (self.service()?, given(import)?, self.notice());
        let signer = Person::of(&import.certificate, &import.key).signer()?.by_delegation(import.delegation);
        let because = Because::new(import.reason.clone().unwrap_or_default(), self.now);
        let done = self.within(Access::Change, async |store| {
            let (imported, _) = draft::import(store, service, &list, By::Key(&signer), &because, None).await?;
            Ok((imported, Proposal::of(store, imported.id()).await?))
        });
        let (imported, proposal) = done.await?;
        let head = &proposal.head;
        match imported {
            Imported::Draft(id) => writeln!(out, "{head} is a draft now, {id}")?,
            Imported::Replaced(id) => writeln!(out, "{head} is a draft now, {id}, in the place of another")?,
            Imported::Same(id) => return Ok(writeln!(out, "{head} is there already, just so: {id}; nothing was changed")?),
        }
        print::proposal(&proposal, out)?;
        let ahead = civil_day(self.now).and_then(|today| today.until(head.from).ok()).map_or(i32::MIN, |span| span.get_days());
        if ahead < i32::from(days) {
            writeln!(out, "warning: it holds from {}, and is to be published {days} days before; choose a later day", head.from)?;
        }
        Ok(writeln!(out, "no call knows it until another person has published it: hjemmel sortiment publish {}", head.id)?)
    }

    async fn list(&self, out: &mut impl Write) -> Result<(), CommandError> {
        let service = self.service()?;
        let read = async |store: &Store| {
            let mut known = Vec::new();
            for head in store.sortimenter(service).await? {
                let made = store.made_on(Subject::Sortiment, head.id).await?;
                known.push((head, made));
            }
            Ok((known, store.users().await?))
        };
        let (heads, users) = self.within(Access::Look, read).await?;
        if heads.is_empty() {
            writeln!(out, "There are no value lists. Bring one in with `hjemmel sortiment import`.")?;
        }
        let today = civil_day(self.now);
        for (head, made) in &heads {
            print::head(head, today, out)?;
            made::print(made, &users, out)?;
        }
        Ok(())
    }

    /// A version of the store by its id, or one of a file.
    async fn version(&self, which: &Path) -> Result<List, CommandError> {
        match which.to_str().and_then(|text| text.parse::<Uuid>().ok()) {
            Some(id) => {
                let read = async |store: &Store| Ok(Arc::unwrap_or_clone(Proposal::of(store, id).await?.list));
                self.within(Access::Look, read).await
            }
            None => read(which),
        }
    }

    async fn show(&self, which: &Path, as_xml: bool, out: &mut impl Write) -> Result<(), CommandError> {
        let lists = match which.is_dir() {
            true => {
                Shelf::at(which).read().map_err(|problems| CommandError::Given(problems.join("\n")))?.all().cloned().collect()
            }
            false => vec![self.version(which).await?],
        };
        if lists.is_empty() {
            writeln!(out, "{}: no value lists", which.display())?;
        }
        for list in &lists {
            match as_xml {
                true => out.write_all(xml::write(list).map_err(CommandError::Given)?.as_bytes())?,
                false => print::list(list, out)?,
            }
        }
        Ok(())
    }

    async fn diff(&self, first: &Path, second: Option<&Path>, out: &mut impl Write) -> Result<(), CommandError> {
        let Some(second) = second else {
            let id = first.to_str().and_then(|text| text.parse().ok());
            let id: Uuid = id.ok_or_else(|| {
                CommandError::Given(
                    "name two versions, or by its id one of the store, which is held against the one before".into(),
                )
            })?;
            let proposal = self.within(Access::Look, async |store| Ok(Proposal::of(store, id).await?)).await?;
            return Ok(print::proposal(&proposal, out)?);
        };
        let (old, new) = (self.version(first).await?, self.version(second).await?);
        if old.id != new.id {
            let text = format!("{} and {} are two value lists, not two versions of one", old.id, new.id);
            return Err(CommandError::Given(text));
        }
        writeln!(out, "{} against {}", describe(&new), describe(&old))?;
        Ok(print::changes(&old, &new, out)?)
    }
}

fn read(path: &Path) -> Result<List, CommandError> {
    xml::read(&bytes(path)?).map_err(|problems| CommandError::Given(format!("{}:\n{}", path.display(), problems.join("\n"))))
}

fn bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    let failed = |error| CommandError::File { path: path.to_owned(), error };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > xml::LARGEST as u64 {
        let text = format!("{}: has more than {} bytes; divide the list", path.display(), xml::LARGEST);
        return Err(CommandError::Given(text));
    }
    std::fs::read(path).map_err(failed)
}

/// The list of a file, whichever way it is written.
fn given(import: &Import) -> Result<List, CommandError> {
    let is_table = import.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if is_table { table(import) } else { read(&import.file) }
}

fn into_folder(import: &Import, folder: &Path, out: &mut impl Write) -> Result<(), CommandError> {
    let (list, shelf) = (given(import)?, Shelf::at(folder));
    let known = shelf.read().map_err(|problems| CommandError::Given(problems.join("\n")))?;
    let before = known.all().filter(|other| (other.id, other.authority) == (list.id, list.authority) && other.from < list.from);
    let before = before.max_by_key(|other| other.from).cloned();
    if !shelf.add(&list)? {
        return Ok(writeln!(out, "{} is here already, just so; nothing was changed", describe(&list))?);
    }
    writeln!(out, "{} added; it holds from {}. The gateway reads it at its next reload.", describe(&list), list.from)?;
    if let Some(before) = before {
        writeln!(out, "against {}:", describe(&before))?;
        print::changes(&before, &list, out)?;
    }
    Ok(())
}

/// A table, and what the options say of it.
fn table(import: &Import) -> Result<List, CommandError> {
    let missing = |option: &str| CommandError::Given(format!("a table does not say what it is: give --{option}"));
    let part = |name: &String| {
        (
            name.clone(),
            Part { supplement: import.supplement.contains(name), party: import.party.contains(name), ..Part::default() },
        )
    };
    let about = List {
        id: import.uuid.ok_or_else(|| missing("uuid"))?,
        name: import.navn.clone().ok_or_else(|| missing("navn"))?,
        version: import.version.clone().ok_or_else(|| missing("version"))?,
        from: import.from.ok_or_else(|| missing("from"))?,
        to: import.to,
        authority: import.authority,
        parts: import.supplement.iter().chain(&import.party).map(part).collect(),
    };
    let list = csv::read(&bytes(&import.file)?, about);
    list.map_err(|problems| CommandError::Given(format!("{}:\n{}", import.file.display(), problems.join("\n"))))
}
