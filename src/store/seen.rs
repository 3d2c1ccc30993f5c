//! Whether the store is as far as this node has seen it, or an earlier state of it that was put back.
//!
//! A snapshot of a disk, a file copied over the store and rows filled in from a dump look like the store itself. So each node keeps
//! on its own disk how far it has seen the store come: a number that it counts up there, and the last decision. A store that is
//! behind that is believed in nothing until somebody has said that it was put back, which [`super::copies::note`] writes down.
//!
//! The number may be one step behind: a standby that takes over may lack the last seconds, and nothing but the number shows
//! them. A decision may not: what was ended would hold again.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Database, StoreError, sql};

/// The file that holds it, in a folder of the node.
const FILE: &str = "store-seen.json";

/// How often the number is counted up where nothing was decided.
const STEP: Duration = Duration::from_secs(10);

/// How far a node has seen a store come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// The store's own name.
    store: Uuid,
    /// The node's number in it: between these, both included.
    from: i64,
    to: i64,
    /// The first decision: what is put back has it, under whatever name.
    #[serde(default)]
    first: Option<Uuid>,
    /// The last decision.
    decision: Option<Uuid>,
    /// When it was last said to have been put back.
    restored: Option<Timestamp>,
}

/// What the store has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    store: Uuid,
    mark: Option<i64>,
    first: Option<Uuid>,
    decision: Option<Uuid>,
    /// Whether it has the last decision that the node knows.
    has_known: bool,
    restored: Option<Timestamp>,
}

/// What the two say together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    AsSeen,
    /// This node sees it for the first time.
    First,
    /// It is another store than the one that this node saw before.
    Another,
    /// It was put back, and somebody has said so.
    Accepted,
    /// The node's own folder is the one that is behind, or another node has a copy of it.
    NodeBehind,
    /// It is an earlier state; why.
    PutBack(String),
}

impl Found {
    fn judged_by(&self, known: Option<&Known>) -> Verdict {
        let Some(known) = known else { return Verdict::First };
        if self.restored > known.restored {
            return Verdict::Accepted;
        }
        // A state from before stores had names gets a new one; what it has in common with the store is where both began.
        if known.store != self.store && (known.first.is_none() || known.first != self.first) {
            return Verdict::Another;
        }
        match (known.decision, self.mark) {
            (Some(decision), _) if !self.has_known => Verdict::PutBack(format!("the decision {decision} is not in it")),
            _ if known.store != self.store => Verdict::Another,
            // The first number may never have arrived; where it did, it was read back.
            (_, None) if known.from > 0 => Verdict::PutBack("it was never seen by this node".to_owned()),
            (_, Some(mark)) if mark < known.from => {
                Verdict::PutBack(format!("this node left it at {}, and it is at {mark}", known.from))
            }
            (_, Some(mark)) if mark > known.to => Verdict::NodeBehind,
            _ => Verdict::AsSeen,
        }
    }
}

/// How a node looks at its store.
pub struct Sight {
    database: Database,
    node: Uuid,
    file: PathBuf,
    known: Option<Known>,
    stepped: Option<Instant>,
}

impl Sight {
    /// What the node `node` has kept of the store in `folder`.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn open(database: &Database, node: Uuid, folder: &Path) -> io::Result<Self> {
        let file = folder.join(FILE);
        let kept = blocking({
            let file = file.clone();
            move || match std::fs::read(&file) {
                Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                    let why = format!(
                        "{} does not say how far this node has seen its store come ({error}); put it back, or remove it",
                        file.display()
                    );
                    io::Error::other(why)
                }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        });
        Ok(Self { database: database.clone(), node, file, known: kept.await?, stepped: None })
    }

    /// Whether the store is as far as this node has seen it. A store that was put back is believed in nothing from then on, by
    /// whoever shares it in this program, until it was said to have been put back.
    ///
    /// # Errors
    /// [`StoreError::PutBack`], or a store that does not answer.
    pub async fn examine(&self) -> Result<(), StoreError> {
        self.examined().await.map(drop)
    }

    async fn examined(&self) -> Result<Found, StoreError> {
        let found = self.found().await?;
        let at = self.database.address();
        match found.judged_by(self.known.as_ref()) {
            Verdict::PutBack(why) => {
                self.database.doubt(Some(&why));
                return Err(StoreError::PutBack { at, why });
            }
            Verdict::AsSeen | Verdict::First => {}
            Verdict::Another => tracing::warn!(store = %at, "this is another store than the one that this node served before"),
            Verdict::Accepted => tracing::warn!(store = %at, "the store was put back, and accepted as it is"),
            Verdict::NodeBehind => tracing::warn!(
                store = %at, file = %self.file.display(),
                "the store has seen this node further on: the node's folder was put back, or another node has a copy of it"
            ),
        }
        self.database.doubt(None);
        Ok(found)
    }

    /// The same, and keeps how far it is. Only one process may do so for a node.
    ///
    /// # Errors
    /// As [`Sight::examine`]; or the node's file cannot be written.
    pub async fn look(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let found = self.examined().await?;
        let is_news = self
            .known
            .as_ref()
            .is_none_or(|known| (known.store, known.decision, known.restored) != (found.store, found.decision, found.restored));
        if is_news || self.stepped.is_none_or(|at| at.elapsed() >= STEP) {
            self.step(&found, now).await?;
        }
        Ok(())
    }

    /// Before the node stops: from now on the store must be exactly as far.
    ///
    /// # Errors
    /// As [`Sight::look`].
    pub async fn leave(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.stepped = None;
        self.look(now).await?;
        if let Some(known) = self.known.clone() {
            self.keep(Known { from: known.to, ..known }).await?;
        }
        Ok(())
    }

    async fn found(&self) -> Result<Found, StoreError> {
        let query = sql("SELECT store,
                 (SELECT mark FROM store_seen WHERE node = $1) AS mark,
                 (SELECT id FROM decision ORDER BY id LIMIT 1) AS first,
                 (SELECT id FROM decision ORDER BY id DESC LIMIT 1) AS latest,
                 (SELECT count(*) FROM decision WHERE id = $2) AS has_known,
                 (SELECT at FROM store_restored ORDER BY at DESC LIMIT 1) AS restored
             FROM revision");
        let query = query.bind(self.node).bind(self.known.as_ref().and_then(|known| known.decision));
        let row = self.database.alone(true, async || self.database.session_in_doubt().await?.first(query.clone()).await).await?;
        let row = row.ok_or(StoreError::Unreadable { column: "revision" })?;
        Ok(Found {
            store: row.get("store")?,
            mark: row.maybe("mark")?,
            first: row.maybe("first")?,
            decision: row.maybe("latest")?,
            has_known: row.get::<i64>("has_known")? > 0,
            restored: row.maybe("restored")?,
        })
    }

    /// Counts up, on the node's disk first: a crash in between leaves the store within what is expected of it.
    async fn step(&mut self, found: &Found, now: Timestamp) -> Result<(), StoreError> {
        let from = found.mark.unwrap_or_default();
        let to = self.known.as_ref().map_or(0, |known| known.to).max(from) + 1;
        let Found { store, first, decision, restored, .. } = *found;
        self.keep(Known { store, from, to, first, decision, restored }).await?;
        let count = sql("INSERT INTO store_seen (node, mark, seen_at) VALUES ($1, $2, $3)
             ON CONFLICT (node) DO UPDATE SET mark = excluded.mark, seen_at = excluded.seen_at");
        let count = count.bind(self.node).bind(to).bind(now);
        self.database.alone(false, async || self.database.session_in_doubt().await?.execute(count.clone()).await).await?;
        self.stepped = Some(Instant::now());
        Ok(())
    }

    /// Kept in memory only when it is on the disk.
    async fn keep(&mut self, known: Known) -> Result<(), StoreError> {
        let (file, text) = (self.file.clone(), serde_json::to_string(&known).unwrap_or_default());
        let written = blocking(move || {
            let new = file.with_extension("json.new");
            let mut out = std::fs::File::create(&new)?;
            writeln!(out, "{text}")?;
            out.sync_all()?;
            std::fs::rename(&new, &file)?;
            std::fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
        });
        let unwritable = |error: io::Error| StoreError::Unusable {
            at: self.database.address(),
            why: format!("{} cannot be written ({error})", self.file.display()),
        };
        written.await.map_err(unwritable)?;
        self.known = Some(known);
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let [first, decision] = [3, 9].map(|id| Some(Uuid::from_u128(id)));
        Known { store: Uuid::from_u128(1), from: 6, to: 7, first, decision, restored: None }
    }

    fn found(mark: Option<i64>) -> Found {
        let [first, decision] = [3, 9].map(|id| Some(Uuid::from_u128(id)));
        Found { store: Uuid::from_u128(1), mark, first, decision, has_known: true, restored: None }
    }

    #[test]
    fn a_store_is_as_seen_between_the_two_numbers_that_a_crash_may_leave_and_behind_them_put_back() {
        for (mark, put_back) in [(Some(7), false), (Some(6), false), (Some(5), true), (None, true)] {
            let verdict = found(mark).judged_by(Some(&known()));
            assert_eq!(matches!(verdict, Verdict::PutBack(_)), put_back, "{mark:?}: {verdict:?}");
        }
        assert_eq!(found(Some(8)).judged_by(Some(&known())), Verdict::NodeBehind);
    }

    #[test]
    fn a_decision_that_is_missing_tells_however_far_the_number_is() {
        let without = Found { has_known: false, ..found(Some(7)) };
        assert!(
            matches!(without.judged_by(Some(&known())), Verdict::PutBack(why) if why.contains("00000000-0000-0000-0000-000000000009"))
        );
    }

    #[test]
    fn what_was_said_to_be_put_back_is_taken_once_and_not_again_for_an_earlier_time() {
        let at = |text: &str| text.parse::<Timestamp>().ok();
        let said = Found { restored: at("2026-11-29T10:00:00Z"), ..found(Some(2)) };
        assert_eq!(said.judged_by(Some(&known())), Verdict::Accepted);
        let since = Known { restored: said.restored, ..known() };
        assert!(matches!(said.judged_by(Some(&since)), Verdict::PutBack(_)));
        let before = Found { restored: at("2026-11-28T10:00:00Z"), ..said };
        assert!(matches!(before.judged_by(Some(&since)), Verdict::PutBack(_)));
    }

    #[test]
    fn another_store_and_the_first_are_no_earlier_state() {
        assert_eq!(found(None).judged_by(None), Verdict::First);
        let another = Found { store: Uuid::from_u128(2), first: Some(Uuid::from_u128(4)), has_known: false, ..found(None) };
        assert_eq!(another.judged_by(Some(&known())), Verdict::Another);
        let empty = Found { first: None, decision: None, ..another };
        assert_eq!(empty.judged_by(Some(&Known { first: None, decision: None, ..known() })), Verdict::Another);
        let moved = Found { store: Uuid::from_u128(2), ..found(None) };
        assert_eq!(moved.judged_by(Some(&known())), Verdict::Another, "all decisions came along");
    }

    #[test]
    fn an_earlier_state_from_before_stores_had_names_is_put_back_under_whatever_name() {
        let renamed = Found { store: Uuid::from_u128(2), has_known: false, ..found(None) };
        assert!(matches!(renamed.judged_by(Some(&known())), Verdict::PutBack(_)));
    }

    #[test]
    fn a_first_number_that_never_arrived_is_no_earlier_state() {
        for to in [1, 2] {
            let begun = Known { from: 0, to, ..known() };
            assert_eq!(found(None).judged_by(Some(&begun)), Verdict::AsSeen);
        }
    }
}
