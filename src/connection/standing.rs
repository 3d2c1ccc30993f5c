//! Where each task of a connection stands: a pure function of the graph, of what the connection uses, and of what is known.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::graph::{Consenting, Graph, Stage, Task, Where};
use crate::refusal::Detail;

/// What a connection uses, and between whom it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct Uses {
    pub options: BTreeSet<String>,
    /// Whether the two systems are of different authorities.
    pub owners_differ: bool,
}

/// What is known of one task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// What the gateway sees.
    pub sight: Sight,
    /// When it was stated by all who must.
    pub stated: Option<Timestamp>,
    /// The sides that have not agreed to the connection and whose it is: nothing is known of it then, and nobody can do it.
    pub kept_back: BTreeSet<Consenting>,
}

/// What the gateway sees of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sight {
    /// Nothing: it is not done, or cannot be seen.
    #[default]
    Nothing,
    /// It is done, since when as far as that is known.
    Done(Option<Timestamp>),
    /// It was, and is so no more.
    Lost {
        /// Since when, as far as that is known.
        since: Option<Timestamp>,
        /// What became of it.
        why: Detail,
    },
}

impl Sight {
    /// Whether it was lost after an instant. Where it is not known since when, it may have been.
    pub fn is_lost_after(&self, at: Timestamp) -> bool {
        matches!(self, Self::Lost { since, .. } if since.is_none_or(|since| since > at))
    }
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The connection does not need it.
    NotNeeded,
    /// Its sides agree to the connection first: whether it is done is not shown, and nobody states it.
    KeptBack(BTreeSet<Consenting>),
    /// Others come first.
    Waiting(Vec<usize>),
    /// It can be done now.
    Ready,
    /// A person has stated that it is done.
    Stated,
    /// The gateway sees that it is done.
    Seen,
    /// It was seen done, and is so no more; what must come before it is done again.
    FellBack {
        /// What became of it.
        why: Detail,
        /// What comes first.
        waits: Vec<usize>,
    },
}

impl State {
    /// The name in the API, in an export and in a picture's classes.
    pub fn name(&self) -> &'static str {
        match self {
            State::NotNeeded => "not-needed",
            State::KeptBack(_) => "kept-back",
            State::Waiting(_) => "waiting",
            State::Ready => "ready",
            State::Stated => "stated",
            State::Seen => "seen",
            State::FellBack { .. } => "fell-back",
        }
    }

    /// The same for a reader.
    pub fn describe(&self) -> Detail {
        match self {
            State::NotNeeded => Detail::new("ikke nødvendig her", "not needed here"),
            State::KeptBack(_) => Detail::new("mangler bekræftelse", "not agreed to"),
            State::Waiting(_) => Detail::new("venter", "waiting"),
            State::Ready => Detail::new("klar", "ready"),
            State::Stated => Detail::new("oplyst udført", "stated"),
            State::Seen => Detail::new("set udført", "seen done"),
            State::FellBack { .. } => Detail::new("faldet tilbage", "fell back"),
        }
    }

    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        matches!(self, State::Stated | State::Seen)
    }

    /// Whether it is still to be done, and nobody's consent keeps it back.
    pub fn is_open(&self) -> bool {
        !self.is_done() && !matches!(self, State::NotNeeded | State::KeptBack(_))
    }

    /// Whether somebody can do it now.
    pub fn is_next(&self) -> bool {
        match self {
            State::Ready => true,
            State::FellBack { waits, .. } => waits.is_empty(),
            _ => false,
        }
    }

    /// What it waits for.
    pub fn waits(&self) -> &[usize] {
        match self {
            State::Waiting(waits) | State::FellBack { waits, .. } => waits,
            _ => &[],
        }
    }
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub state: State,
    /// Since when: done, ready, or lost. None while it waits, and where it is not known since when it is done.
    pub since: Option<Timestamp>,
}

/// Where every task stands, in the graph's order. `known` has one entry a task; a missing one is known nothing of. `begun`:
/// when the connection was added, before which nothing of it was ready.
pub fn of(graph: &Graph, uses: &Uses, known: &[Known], begun: Timestamp) -> Vec<Standing> {
    let done = |place: usize| known.get(place).and_then(done_since);
    let fits: Vec<bool> = graph.tasks.iter().map(|task| is_for(task, uses)).collect();
    let fits = |place: usize| fits.get(place).copied().unwrap_or(false);
    let needed: Vec<bool> =
        (0..graph.tasks.len()).map(|place| is_needed(graph, place, &fits, &|place| done(place).is_some())).collect();
    let needed = |place: usize| needed.get(place).copied().unwrap_or(false);
    let missing = |place: usize| needed(place) && done(place).is_none();
    let one = |(place, task): (usize, &Task)| {
        if !needed(place) {
            return Standing { state: State::NotNeeded, since: None };
        }
        let known = known.get(place).unwrap_or(&NOTHING);
        if !known.kept_back.is_empty() {
            return Standing { state: State::KeptBack(known.kept_back.clone()), since: None };
        }
        if let Some(since) = done_since(known) {
            let state = if matches!(known.sight, Sight::Done(_)) { State::Seen } else { State::Stated };
            return Standing { state, since };
        }
        let waits = waits_for(graph, task, &missing, &|place| done(place).is_some());
        // Before it nothing of it could be done: the last of what it needed, or the connection's beginning.
        let ready = || graph.before(place).into_iter().filter_map(|need| done(need).flatten()).chain([begun]).max();
        match (&known.sight, waits.is_empty()) {
            (Sight::Lost { since, why }, true) => {
                let since = (*since).max(ready());
                Standing { state: State::FellBack { why: why.clone(), waits }, since }
            }
            (Sight::Lost { since, why }, false) => Standing { state: State::FellBack { why: why.clone(), waits }, since: *since },
            (_, true) => Standing { state: State::Ready, since: ready() },
            (_, false) => Standing { state: State::Waiting(waits), since: None },
        }
    };
    graph.tasks.iter().enumerate().map(one).collect()
}

/// Whether a connection is finished: nothing that it needs is missing.
pub fn is_finished(standings: &[Standing]) -> bool {
    standings.iter().all(|standing| standing.state == State::NotNeeded || standing.state.is_done())
}

static NOTHING: Known = Known { sight: Sight::Nothing, stated: None, kept_back: BTreeSet::new() };

/// Since when a task is done, if it is. What is kept back is not, as far as anybody is shown. What is seen goes before what is stated: it is true by itself. So does what was seen lost since.
fn done_since(known: &Known) -> Option<Option<Timestamp>> {
    match (&known.sight, known.stated) {
        _ if !known.kept_back.is_empty() => None,
        (Sight::Done(since), _) => Some(*since),
        (sight, Some(stated)) if !sight.is_lost_after(stated) => Some(Some(stated)),
        _ => None,
    }
}

fn is_for(task: &Task, uses: &Uses) -> bool {
    let holds = |condition: &Where| match condition {
        Where::OwnersDiffer => uses.owners_differ,
        Where::Option(option) => uses.options.contains(option),
    };
    let used = task.options.is_empty() || task.options.iter().any(|option| uses.options.contains(option));
    used && task.only_where.iter().all(holds)
}

/// Of a choice the ones that were not chosen are not needed, nor what belongs to them alone.
fn is_needed(graph: &Graph, place: usize, fits: &impl Fn(usize) -> bool, done: &impl Fn(usize) -> bool) -> bool {
    let Some(task) = graph.task(place).filter(|_| fits(place)) else { return false };
    let chosen_otherwise = |place: usize| {
        let choice = graph.task(place).and_then(|task| task.choice.as_ref());
        let others = graph
            .tasks
            .iter()
            .enumerate()
            .filter(|(other, task)| *other != place && choice.is_some() && task.choice.as_ref() == choice);
        !done(place) && { others }.any(|(other, _)| fits(other) && done(other))
    };
    !chosen_otherwise(place) && task.chosen.is_none_or(|chosen| fits(chosen) && !chosen_otherwise(chosen))
}

/// What is missing before a task. What is not needed here is missing nowhere.
fn waits_for(graph: &Graph, task: &Task, missing: &impl Fn(usize) -> bool, done: &impl Fn(usize) -> bool) -> Vec<usize> {
    let mut waits: BTreeSet<usize> = task.needs.iter().chain(&task.chosen).flat_map(|&need| graph.joint_with(need)).collect();
    let unmet = task.needs_one.iter().filter(|list| !list.iter().any(|&need| done(need)));
    waits.extend(unmet.flatten());
    if task.stage == Stage::Connection {
        waits.extend(graph.tasks.iter().enumerate().filter(|(_, other)| other.holds_back()).map(|(place, _)| place));
    }
    waits.into_iter().filter(|&need| missing(need)).collect()
}
