//! `hjemmel sortiment`: value lists. Import one, show one, and what a version changes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::civil::Date;
use uuid::Uuid;

use crate::clock::{Clock, civil_day};
use crate::id::cvr::Cvr;
use crate::services::finance::rules::sortiment::diff::{Direction, diff};
use crate::services::finance::rules::sortiment::{List, Part, csv, told, xml};
use crate::services::finance::shelf::Shelf;

/// Value lists (sortimenter) of SF1590_A Finans: which codes a specialist system may send.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file is one version: XML, or a table that Excel saved as \"CSV UTF-8\" (columns Delsortiment;Kode;Navn;KlasseUUID;Foelsomhedsniveau;\
GyldigFra;GyldigTil), of which the options say what it is.

Example:
  hjemmel sortiment import art.csv --into /var/lib/hjemmel/sortiment --uuid 1c5b4a56-0b9e-4d0f-8f5c-5a0f1590a001 \\
    --navn \"Sociale ydelser\" --version 2027.1 --from 2027-01-01
  hjemmel sortiment diff /var/lib/hjemmel/sortiment/OLD.xml NEW.xml")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Add a version to a service's folder of value lists, checked, and say what it changes
    Import(Box<Import>),
    /// Show a version, or every version in a folder
    Show {
        /// A file, XML; or a folder of them
        path: PathBuf,
    },
    /// What one version widens and narrows against another
    Diff {
        /// The version of before
        old: PathBuf,
        /// The new one
        new: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Import {
    /// The file: .xml or .csv
    file: PathBuf,
    /// The folder that `sortiment` in [service.NAME] names
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
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
    /// How many days a version must be known before it holds, so that ledgers can map it; fewer is a warning
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    notice: u16,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Carries out the command.
///
/// # Errors
/// What is wrong with a file, each in a sentence.
pub fn run(args: Args, clock: &Clock, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match args.command {
        Command::Import(import) => add(&import, clock, out),
        Command::Show { path } => {
            let lists = match path.is_dir() {
                true => Shelf::at(&path).read().map_err(|problems| problems.join("\n"))?.all().cloned().collect(),
                false => vec![read(&path)?],
            };
            if lists.is_empty() {
                writeln!(out, "{}: no value lists", path.display())?;
            }
            lists.iter().try_for_each(|list| show(list, out))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Diff { old, new } => {
            let (old, new) = (read(&old)?, read(&new)?);
            if old.id != new.id {
                return Err(format!("{} and {} are two value lists, not two versions of one", old.id, new.id).into());
            }
            writeln!(out, "{} against {}", told(&new), told(&old))?;
            changes(&old, &new, out)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn read(path: &Path) -> Result<List, Error> {
    let bytes = bytes(path)?;
    let list = xml::read(&bytes).map_err(|problems| format!("{}:\n{}", path.display(), problems.join("\n")))?;
    Ok(list)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let size = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len();
    if size > xml::LARGEST as u64 {
        return Err(format!("{}: has more than {} bytes; divide the list", path.display(), xml::LARGEST).into());
    }
    Ok(std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn add(import: &Import, clock: &Clock, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let is_table = import.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let list = if is_table { table(import)? } else { read(&import.file)? };
    let shelf = Shelf::at(&import.into);
    let known = shelf.read().map_err(|problems| problems.join("\n"))?;
    let before = known.all().filter(|other| (other.id, other.authority) == (list.id, list.authority) && other.from < list.from);
    let before = before.max_by_key(|other| other.from).cloned();
    if !shelf.add(&list)? {
        writeln!(out, "{} is here already, just so; nothing was changed", told(&list))?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{} added; it holds from {}. The gateway reads it at its next reload.", told(&list), list.from)?;
    if let Some(before) = before {
        writeln!(out, "against {}:", told(&before))?;
        changes(&before, &list, out)?;
    }
    let known_for = civil_day(clock.now()).and_then(|today| today.until(list.from).ok()).map(|span| span.get_days());
    match known_for {
        Some(days) if days <= 0 => {
            writeln!(out, "warning: it is in force already, and ledgers were to have {} days", import.notice)?
        }
        Some(days) if days < i32::from(import.notice) => {
            writeln!(out, "warning: it holds in {days} days, and ledgers were to have {}", import.notice)?;
        }
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// A table, and what the options say of it.
fn table(import: &Import) -> Result<List, Error> {
    let missing = |option: &str| format!("a table does not say what it is: give --{option}");
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
    let list = list.map_err(|problems| format!("{}:\n{}", import.file.display(), problems.join("\n")))?;
    if let Some((name, _)) = list.parts.iter().find(|(_, part)| part.codes.is_empty()) {
        return Err(format!("an option names the part list {name}, and the table has no code of it; correct its name").into());
    }
    Ok(list)
}

fn changes(old: &List, new: &List, out: &mut dyn Write) -> std::io::Result<()> {
    let changes = diff(old, new);
    changes.iter().try_for_each(|change| writeln!(out, "  {change}"))?;
    let count = |direction| changes.iter().filter(|change| change.direction == direction).count();
    writeln!(out, "  {} narrow, {} widen, {} in all", count(Direction::Narrows), count(Direction::Widens), changes.len())
}

fn show(list: &List, out: &mut dyn Write) -> std::io::Result<()> {
    let until = list.to.map_or_else(|| "no end".to_owned(), |to| to.to_string());
    writeln!(out, "{}  {}  {} – {until}", told(list), list.name, list.from)?;
    for (name, part) in &list.parts {
        let supplement = if part.supplement { ", authorities may add codes" } else { "" };
        let party = if part.party { ", a party must be named" } else { "" };
        writeln!(out, "  {name}: {} codes{supplement}{party}", part.codes.len())?;
        for (code, entry) in &part.codes {
            let day = |word: &str, day: Option<Date>| day.map_or_else(String::new, |day| format!(" {word} {day}"));
            writeln!(out, "    {code:<12} {}{}{}", entry.name, day("from", entry.from), day("until", entry.to))?;
        }
    }
    Ok(())
}
