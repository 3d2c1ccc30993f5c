//! Value lists and what they change, on the screen.

use std::io::{self, Write};

use jiff::civil::Date;

use crate::services::finance::lists::kept::Head;
use crate::services::finance::lists::publish::Proposal;
use crate::services::finance::lists::subscription::Subscription;
use crate::services::finance::rules::sortiment::diff::{Change, Direction, diff};
use crate::services::finance::rules::sortiment::{List, describe};

pub(super) fn head(head: &Head, today: Option<Date>, out: &mut impl Write) -> io::Result<()> {
    let state = head.stands(today);
    let until = head.to.map_or_else(|| "no end".to_owned(), |to| to.to_string());
    writeln!(out, "{}  {state:9}  {} – {until}  {head}  {}", head.id, head.from, head.name)
}

pub(super) fn proposal(proposal: &Proposal, out: &mut impl Write) -> io::Result<()> {
    match &proposal.before {
        Some(before) => {
            writeln!(out, "against {}:", describe(before))?;
            lines(&proposal.changes(), out)
        }
        None => writeln!(out, "it is the first, with {} codes", proposal.list.codes()),
    }
}

pub(super) fn changes(old: &List, new: &List, out: &mut impl Write) -> io::Result<()> {
    lines(&diff(old, new), out)
}

fn lines(changes: &[Change], out: &mut impl Write) -> io::Result<()> {
    changes.iter().try_for_each(|change| writeln!(out, "  {change}"))?;
    let count = |direction| changes.iter().filter(|change| change.direction == direction).count();
    writeln!(out, "  {} narrow, {} widen, {} in all", count(Direction::Narrows), count(Direction::Widens), changes.len())
}

pub(super) fn deliveries(to: &[Subscription], out: &mut impl Write) -> io::Result<()> {
    for Subscription { authority, system, structure, .. } in to {
        writeln!(out, "waits to be delivered to system {system} of {authority} as {}", structure.name())?;
    }
    if !to.is_empty() {
        writeln!(out, "a node with [sftp] sends it as a file, as the user that sortiment_user names")?;
    }
    Ok(())
}

pub(super) fn list(list: &List, out: &mut impl Write) -> io::Result<()> {
    let until = list.to.map_or_else(|| "no end".to_owned(), |to| to.to_string());
    writeln!(out, "{}  {}  {} – {until}", describe(list), list.name, list.from)?;
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
