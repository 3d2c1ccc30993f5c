//! `hjemmel audit verify`: the proof that one log, or those of all nodes, are whole.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{AuditError, tell_retirement};
use crate::agreements::Store;
use crate::audit::anchors::{self, Latest};
use crate::audit::chain::CheckpointPublicKey;
use crate::audit::verify::{Anchor, Verified, verify};
use crate::store::{Access, Settings};

/// What the logs are held against.
pub struct Against<'a> {
    /// The keys that signed them.
    pub keys: &'a [CheckpointPublicKey],
    /// Anchors of one log, kept elsewhere.
    pub given: &'a [Anchor],
    /// What the store has.
    pub kept: Latest,
}

/// What the store has of anchors.
pub async fn kept(settings: &Settings) -> Result<Latest, AuditError> {
    let store = Store::open_to(Access::Look, settings).await?;
    let kept = anchors::kept(store.database()).await?;
    store.close().await;
    Ok(kept)
}

/// Proves every log whole: by itself, by what the store has of it, and by what the other logs say of it.
///
/// # Errors
/// [`AuditError::NotWhole`] of one log; [`AuditError::NotAllWhole`] of several, each told.
pub fn prove(dirs: &[PathBuf], against: &Against<'_>, out: &mut impl Write) -> Result<(), AuditError> {
    let mut names = BTreeMap::<Uuid, &Path>::new();
    let (mut wrong, mut whole) = (Vec::new(), Vec::new());
    for dir in dirs {
        let name = anchors::name_of(dir)?;
        if let Some(other) = name.and_then(|name| names.insert(name, dir)) {
            wrong.push(format!("{} and {} have one name (log-id): they are copies of one log", other.display(), dir.display()));
        }
        let held: Vec<_> = against.given.iter().copied().chain(of(&against.kept, name)).collect();
        match verify(dir, against.keys, &held) {
            Ok(verified) => whole.push((dir, name, verified)),
            Err(failure) if dirs.len() == 1 && against.kept.is_empty() => return Err(failure.into()),
            Err(failure) => wrong.push(failure.to_string()),
        }
    }
    // What each log says of the others is known only now. What it says of itself would prove nothing.
    let mut told = Latest::new();
    for (_, name, verified) in &whole {
        for (log, checkpoints) in verified.anchored.iter().filter(|(log, _)| Some(**log) != *name) {
            let anchored = |checkpoint: &_| anchors::Anchored { log: *log, checkpoint: Clone::clone(checkpoint) };
            checkpoints.values().for_each(|checkpoint| anchors::take(&mut told, anchored(checkpoint)));
        }
    }
    for (dir, name, _) in &whole {
        let held = of(&told, *name);
        if !held.is_empty()
            && let Err(failure) = verify(dir, against.keys, &held)
        {
            wrong.push(format!("{failure}; another node's log says so"));
        }
    }
    for (by, latest) in [("the store", &against.kept), ("another node's log", &told)] {
        // Of one log alone, without the store, nobody expects the others.
        let expected = dirs.len() > 1 || !against.kept.is_empty();
        for (log, checkpoints) in latest.iter().filter(|(log, _)| expected && !names.contains_key(log)) {
            let last = checkpoints.values().next_back().map_or(String::new(), |last| {
                format!(", which had entry {} in segment {} at {}", last.covers, last.segment, last.at)
            });
            wrong.push(format!("none of the folders is the log {log}{last}: {by} tells of it"));
        }
    }
    for (dir, name, verified) in &whole {
        if dirs.len() > 1 {
            writeln!(out, "{}{}", dir.display(), name.map_or_else(String::new, |name| format!(" (log {name})")))?;
        }
        tell(verified, out)?;
        let held = of(&against.kept, *name).len() + of(&told, *name).len();
        if held > 0 {
            writeln!(out, "{held} anchors of the store and of other nodes' logs hold.")?;
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(AuditError::NotAllWhole(wrong)) }
}

fn of(latest: &Latest, name: Option<Uuid>) -> Vec<Anchor> {
    name.map(|name| anchors::of_log(latest, name)).unwrap_or_default()
}

fn tell(verified: &Verified, out: &mut impl Write) -> io::Result<()> {
    for retired in &verified.retired {
        tell_retirement("were retired", retired, out)?;
    }
    let (entries, segments, first) = (verified.entries, verified.segments, verified.sequence - verified.entries + 1);
    let from = if first > 1 { format!(" from entry {first} on") } else { String::new() };
    let (admitted, closed) = (verified.admitted, verified.closed);
    writeln!(
        out,
        "The log is whole{from}: {entries} entries in {segments} segments; {closed} calls ended, {admitted} were admitted to be \
         forwarded (the others were refused before)."
    )?;
    if verified.leftover > 0 {
        let left = verified.leftover;
        writeln!(out, "{left} segments that were retired are still there; run `hjemmel audit retire` again.")?;
    }
    if verified.anchors_retired > 0 {
        writeln!(out, "{} anchors are of entries that were retired; they prove nothing more.", verified.anchors_retired)?;
    }
    writeln!(out, "{} checkpoints, all signed; {} entries since the last one.", verified.checkpoints, verified.unsigned)?;
    if verified.decided > 0 {
        writeln!(out, "{} decisions on agreements, routes and users.", verified.decided)?;
    }
    if verified.asked > 0 {
        writeln!(out, "{} questions of auditors.", verified.asked)?;
    }
    if verified.unclosed > 0 {
        writeln!(out, "{} calls were admitted and never closed: in flight, or cut off by a crash.", verified.unclosed)?;
    }
    if verified.torn > 0 {
        writeln!(out, "{} torn ends were kept aside after a crash.", verified.torn)?;
    }
    writeln!(out, "Anchor to keep elsewhere: {}:{}", verified.sequence, verified.hash)
}
