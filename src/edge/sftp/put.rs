//! The files that a user put a moment ago, as they were then.
//!
//! A file is taken away when its trigger closes, and most clients ask for it by name afterwards, to set its times or to compare its size: if it
//! were gone they would report failure and send again. A channel remembers what it put as long as it is open. Some clients, as rclone, set
//! the times over another connection than the one that wrote, and ask for the size over a third: the door remembers what any connection of
//! a user put. It takes times for it, and shows it to the others only once somebody has set them: a file that is shown and gone could
//! not be sent again by a client that goes on with what it finds, and would look as if nobody had taken it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use uuid::Uuid;

use crate::files::home::Entry;
use crate::files::name::Name;

/// Files that are remembered of a channel, and of a user.
const REMEMBERED: usize = 1024;
/// For how long the other connections of a user may set the times of a file that was put.
pub const TAKES_TIMES: Duration = Duration::from_secs(5 * 60);
/// For how long they are shown it once its times were set.
pub const SHOWN: Duration = Duration::from_secs(60);
/// Users whose files are remembered; the least recent are forgotten first.
const USERS: u64 = 512;

/// A file that was put.
#[derive(Clone)]
struct Was {
    entry: Entry,
    put: Timestamp,
    /// When its times were set last, once it was gone.
    set: Option<Timestamp>,
}

/// The last files that were put.
struct Put<F> {
    entries: HashMap<(F, Name), Was>,
    order: VecDeque<(F, Name)>,
}

impl<F> Default for Put<F> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<F: Clone + Eq + Hash> Put<F> {
    fn insert(&mut self, folder: F, entry: Entry, now: Timestamp) {
        let at = (folder, entry.name.clone());
        if self.entries.insert(at.clone(), Was { entry, put: now, set: None }).is_none() {
            self.order.push_back(at);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, folder: &F, name: &Name) {
        let at = (folder.clone(), name.clone());
        if self.entries.remove(&at).is_some() {
            self.order.retain(|other| *other != at);
        }
    }

    fn get(&self, folder: &F, name: &Name) -> Option<&Was> {
        self.entries.get(&(folder.clone(), name.clone()))
    }
}

/// What each user put, by whatever connection.
pub struct ByUser<F>(Cache<Uuid, Arc<Mutex<Put<F>>>>);

impl<F: Clone + Eq + Hash + Send + Sync + 'static> ByUser<F> {
    /// Nothing.
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(USERS).time_to_idle(TAKES_TIMES).build())
    }
}

fn locked<F>(put: &Mutex<Put<F>>) -> MutexGuard<'_, Put<F>> {
    put.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one channel remembers.
pub struct Remembered<F> {
    user: Uuid,
    own: Put<F>,
    all: Arc<ByUser<F>>,
}

impl<F: Clone + Eq + Hash + Send + Sync + 'static> Remembered<F> {
    /// A channel of this user that has put nothing yet.
    pub fn of(user: Uuid, all: Arc<ByUser<F>>) -> Self {
        Self { user, own: Put::default(), all }
    }

    /// A file was put.
    pub fn insert(&mut self, folder: F, entry: Entry, now: Timestamp) {
        locked(&self.all.0.get_with(self.user, Arc::default)).insert(folder.clone(), entry.clone(), now);
        self.own.insert(folder, entry, now);
    }

    /// It was removed, or has another name.
    pub fn remove(&mut self, folder: &F, name: &Name) {
        if let Some(all) = self.all.0.get(&self.user) {
            locked(&all).remove(folder, name);
        }
        self.own.remove(folder, name);
    }

    /// The file of a name as it was put last: by this channel, or by another of the user's where its times were set just now.
    pub fn get(&self, folder: &F, name: &Name, now: Timestamp) -> Option<Entry> {
        let of_user = self.all.0.get(&self.user).and_then(|all| {
            let shown = |was: &&Was| was.set.is_some_and(|set| is_within(set, now, SHOWN));
            locked(&all).get(folder, name).filter(shown).map(|was| was.entry.clone())
        });
        of_user.or_else(|| self.own.get(folder, name).map(|was| was.entry.clone()))
    }

    /// The times of a file that is gone are set, which has no effect. Whether it was put, by this channel or lately by another of the user's.
    pub fn times_set(&mut self, folder: &F, name: &Name, now: Timestamp) -> bool {
        let of_user = self.all.0.get(&self.user).is_some_and(|all| {
            let mut all = locked(&all);
            let was = all.entries.get_mut(&(folder.clone(), name.clone()));
            let was = was.filter(|was| is_within(was.put, now, TAKES_TIMES));
            was.map(|was| was.set = Some(now)).is_some()
        });
        of_user || self.own.get(folder, name).is_some()
    }
}

fn is_within(since: Timestamp, now: Timestamp, limit: Duration) -> bool {
    now.duration_since(since) < SignedDuration::try_from(limit).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::home::Folder;

    fn name(number: usize) -> Name {
        Name::new(&format!("{number}.xml")).unwrap()
    }

    fn entry(number: usize) -> Entry {
        Entry { name: name(number), size: number as u64, modified: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn of_each_user_the_last_files_are_remembered_and_no_user_makes_another_forgotten() {
        let (all, now) = (Arc::new(ByUser::new()), Timestamp::UNIX_EPOCH);
        let [mut one, mut other] = [Uuid::new_v4(), Uuid::new_v4()].map(|user| Remembered::of(user, all.clone()));
        other.insert(Folder::Out, entry(0), now);
        (0..=REMEMBERED).for_each(|number| one.insert(Folder::Out, entry(number), now));
        let mut again = Remembered::of(one.user, all.clone());
        for asked in [&mut one, &mut again] {
            assert!(!asked.times_set(&Folder::Out, &name(0), now), "the oldest gave way");
            assert!(asked.times_set(&Folder::Out, &name(REMEMBERED), now));
            assert!(!asked.times_set(&Folder::In, &name(REMEMBERED), now));
            assert_eq!(asked.get(&Folder::Out, &name(REMEMBERED), now), Some(entry(REMEMBERED)));
        }
        assert!(other.times_set(&Folder::Out, &name(0), now));
    }

    #[test]
    fn what_is_removed_by_one_connection_or_put_anew_is_so_to_the_others() {
        let (all, now, user) = (Arc::new(ByUser::new()), Timestamp::UNIX_EPOCH, Uuid::new_v4());
        let [mut one, mut other] = [(), ()].map(|()| Remembered::of(user, all.clone()));
        one.insert(Folder::Out, entry(1), now);
        other.insert(Folder::Out, Entry { size: 7, ..entry(1) }, now);
        assert!(one.times_set(&Folder::Out, &name(1), now));
        assert_eq!(one.get(&Folder::Out, &name(1), now).map(|entry| entry.size), Some(7));
        one.remove(&Folder::Out, &name(1));
        assert!(!one.times_set(&Folder::Out, &name(1), now));
        assert!(!Remembered::of(user, all).times_set(&Folder::Out, &name(1), now));
    }
}
