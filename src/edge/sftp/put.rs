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
use uuid::Uuid;

use crate::files::home::Entry;
use crate::files::name::Name;

/// Files that are remembered of a channel, and of a user.
const REMEMBERED: usize = 1024;
/// For how long the other connections of a user may set the times of a file that was put.
pub const TAKES_TIMES: Duration = Duration::from_secs(5 * 60);
/// For how long they are shown it once its times were set.
pub const SHOWN: Duration = Duration::from_secs(60);
/// After so long nobody asks the memory of a user for a file that was put.
const KEPT: Duration = TAKES_TIMES.saturating_add(SHOWN);

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
        if self.entries.insert(at.clone(), Was { entry, put: now, set: None }).is_some() {
            self.order.retain(|other| *other != at);
        }
        self.order.push_back(at);
        while self.order.len() > REMEMBERED {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.entries.remove(&oldest);
        }
    }

    /// Forgets what was put too long ago.
    fn forget(&mut self, now: Timestamp) {
        while self.put_at(self.order.front()).is_some_and(|put| !is_within(put, now, KEPT)) {
            self.forget_oldest();
        }
    }

    fn put_at(&self, at: Option<&(F, Name)>) -> Option<Timestamp> {
        self.entries.get(at?).map(|was| was.put)
    }

    /// When a file was put last.
    fn last(&self) -> Option<Timestamp> {
        self.put_at(self.order.back())
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
pub struct ByUser<F> {
    users: usize,
    put: Mutex<HashMap<Uuid, Put<F>>>,
}

impl<F: Clone + Eq + Hash> ByUser<F> {
    /// Nothing yet. So many users are remembered, one at the least; of more whoever put nothing for the longest is forgotten.
    pub fn new(users: usize) -> Self {
        Self { users: users.max(1), put: Mutex::default() }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Uuid, Put<F>>> {
        self.put.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Beside it forgets what is too old of anybody's: whoever only asks keeps nothing alive.
    fn insert(&self, user: Uuid, folder: F, entry: Entry, now: Timestamp) {
        let mut all = self.locked();
        all.retain(|_, put| {
            put.forget(now);
            !put.order.is_empty()
        });
        if all.len() >= self.users
            && !all.contains_key(&user)
            && let Some(longest) = all.iter().min_by_key(|(_, put)| put.last()).map(|(user, _)| *user)
        {
            all.remove(&longest);
        }
        all.entry(user).or_default().insert(folder, entry, now);
    }
}

/// What one channel remembers.
pub struct Remembered<F> {
    user: Uuid,
    own: Put<F>,
    all: Arc<ByUser<F>>,
}

impl<F: Clone + Eq + Hash> Remembered<F> {
    /// A channel of this user that has put nothing yet.
    pub fn of(user: Uuid, all: Arc<ByUser<F>>) -> Self {
        Self { user, own: Put::default(), all }
    }

    /// A file was put.
    pub fn insert(&mut self, folder: F, entry: Entry, now: Timestamp) {
        self.all.insert(self.user, folder.clone(), entry.clone(), now);
        self.own.insert(folder, entry, now);
    }

    /// It was removed, or has another name.
    pub fn remove(&mut self, folder: &F, name: &Name) {
        if let Some(all) = self.all.locked().get_mut(&self.user) {
            all.remove(folder, name);
        }
        self.own.remove(folder, name);
    }

    /// The file of a name as it was put last: by this channel, or by another of the user's where its times were set just now, or where this
    /// channel put one before it.
    pub fn get(&self, folder: &F, name: &Name, now: Timestamp) -> Option<Entry> {
        let own = self.own.get(folder, name);
        let all = self.all.locked();
        let of_user = all
            .get(&self.user)
            .and_then(|all| all.get(folder, name))
            .filter(|was| was.set.is_some_and(|set| is_within(set, now, SHOWN)) || own.is_some_and(|own| own.put < was.put));
        of_user.or(own).map(|was| was.entry.clone())
    }

    /// The times of a file that is gone are set, which has no effect. Whether it was put, by this channel or lately by another of the user's.
    pub fn times_set(&mut self, folder: &F, name: &Name, now: Timestamp) -> bool {
        let of_user = self.all.locked().get_mut(&self.user).is_some_and(|all| {
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
        let (all, now) = (Arc::new(ByUser::new(2)), Timestamp::UNIX_EPOCH);
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

    fn after(limit: Duration) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add(SignedDuration::try_from(limit).unwrap()).unwrap()
    }

    #[test]
    fn the_user_who_put_last_is_remembered_and_of_too_many_the_one_who_put_nothing_for_the_longest_is_forgotten() {
        let all = Arc::new(ByUser::new(2));
        let users = [(); 3].map(|()| Uuid::new_v4());
        let seconds = |number: usize| after(Duration::from_secs(number as u64));
        for (number, user) in [(0, users[0]), (1, users[1]), (2, users[0]), (3, users[2])] {
            Remembered::of(user, all.clone()).insert(Folder::Out, entry(number), seconds(number));
        }
        let knows = |user, number| Remembered::of(user, all.clone()).times_set(&Folder::Out, &name(number), seconds(4));
        assert!(knows(users[2], 3), "whoever put last");
        assert!(knows(users[0], 0) && knows(users[0], 2));
        assert!(!knows(users[1], 1));
        assert_eq!(all.locked().len(), 2);
    }

    #[test]
    fn what_was_put_long_ago_is_forgotten_though_its_user_asks_for_it_all_the_time() {
        let (all, begun) = (Arc::new(ByUser::new(9)), Timestamp::UNIX_EPOCH);
        let [mut asks, mut puts] = [(); 2].map(|()| Remembered::of(Uuid::new_v4(), all.clone()));
        asks.insert(Folder::Out, entry(1), begun);
        puts.insert(Folder::Out, entry(1), begun);
        for minute in 0..KEPT.as_secs() / 60 {
            asks.get(&Folder::Out, &name(9), after(Duration::from_secs(60 * minute)));
        }
        puts.insert(Folder::Out, entry(2), after(KEPT));
        assert!(!all.locked().contains_key(&asks.user));
        assert_eq!(all.locked().get(&puts.user).map(|put| (put.order.len(), put.entries.len())), Some((1, 1)));
        assert!(asks.times_set(&Folder::Out, &name(1), after(KEPT)), "a channel remembers its own as long as it is open");
    }

    #[test]
    fn a_name_that_was_put_again_is_as_new_as_the_last_one() {
        let (all, now, user) = (Arc::new(ByUser::new(1)), Timestamp::UNIX_EPOCH, Uuid::new_v4());
        let mut one = Remembered::of(user, all.clone());
        (0..REMEMBERED).chain([0, REMEMBERED]).for_each(|number| one.insert(Folder::Out, entry(number), now));
        let mut again = Remembered::of(user, all);
        for asked in [&mut one, &mut again] {
            assert!(asked.times_set(&Folder::Out, &name(0), now));
            assert!(!asked.times_set(&Folder::Out, &name(1), now), "the oldest gave way");
        }
    }

    #[test]
    fn what_another_connection_put_later_is_told_to_the_one_that_put_before() {
        let (all, user) = (Arc::new(ByUser::new(1)), Uuid::new_v4());
        let (begun, later) = (Timestamp::UNIX_EPOCH, after(Duration::from_secs(1)));
        let [mut one, mut other, third] = [(); 3].map(|()| Remembered::of(user, all.clone()));
        one.insert(Folder::Out, entry(1), begun);
        other.insert(Folder::Out, Entry { size: 7, ..entry(1) }, later);
        let size = |of: &Remembered<Folder>| of.get(&Folder::Out, &name(1), later).map(|entry| entry.size);
        assert_eq!([size(&one), size(&other)], [Some(7); 2]);
        assert_eq!(size(&third), None, "its times are not set");
    }

    #[test]
    fn what_is_removed_by_one_connection_or_put_anew_is_so_to_the_others() {
        let (all, now, user) = (Arc::new(ByUser::new(1)), Timestamp::UNIX_EPOCH, Uuid::new_v4());
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
