//! Who may try to log on: how many at once, and how often under one name from one address.
//!
//! Many systems stand behind one address, each with a name of its own: whoever fails is refused under that name, and the others go on.
//! Only where ten times as many failures come from an address, under whatever names, is it not answered at all.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moka::sync::Cache;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::SftpLimits;

/// Addresses, and names from them, whose failures are remembered; the least recent are forgotten first.
const REMEMBERED: u64 = 100_000;
/// How many times as many failures as of one name an address may have under all names.
const NAMES_OF_ADDRESS: usize = 10;

/// What counts as one address: of IPv6 the network of 64 bits, which is one customer's.
fn one(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// A name as it is given from one address. Names are untrusted and of any length, so that their hash alone is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    address: IpAddr,
    name: u64,
}

/// Counts those who wait to log on, those who have, and failures.
#[derive(Clone)]
pub struct Doorman(Arc<Inner>);

struct Inner {
    limits: SftpLimits,
    waiting: Mutex<Waiting>,
    sessions: Mutex<Sessions>,
    of_address: Cache<IpAddr, u32>,
    of_caller: Cache<Caller, u32>,
    names: RandomState,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    /// The oldest first.
    there: Vec<Waiter>,
}

struct Waiter {
    number: u64,
    address: IpAddr,
    cut: CancellationToken,
}

#[derive(Default)]
struct Sessions {
    all: usize,
    of_user: HashMap<Uuid, usize>,
}

impl Doorman {
    /// Nobody there.
    pub fn new(limits: SftpLimits) -> Self {
        let within = limits.failures_within;
        Self(Arc::new(Inner {
            limits,
            waiting: Mutex::default(),
            sessions: Mutex::default(),
            of_address: Cache::builder().max_capacity(REMEMBERED).time_to_live(within).build(),
            of_caller: Cache::builder().max_capacity(REMEMBERED).time_to_live(within).build(),
            names: RandomState::new(),
        }))
    }

    /// Whoever gives this name from this address.
    pub fn caller(&self, address: IpAddr, name: &str) -> Caller {
        Caller { address: one(address), name: self.0.names.hash_one(name) }
    }

    /// Whether an address has failed too often, under whatever names. Nothing that it sends meanwhile is looked at, so nothing makes it
    /// last longer.
    pub fn is_banned(&self, address: IpAddr) -> bool {
        let most = self.0.limits.failures.saturating_mul(NAMES_OF_ADDRESS);
        self.0.of_address.get(&one(address)).is_some_and(|failures| failures as usize >= most)
    }

    /// Whether a name has failed too often from an address. The store is not asked meanwhile and nothing is counted, so that nothing makes
    /// it last longer.
    pub fn is_refused(&self, caller: Caller) -> bool {
        self.0.of_caller.get(&caller).is_some_and(|failures| failures as usize >= self.0.limits.failures)
    }

    /// A connection ended, and had offered keys under these names of which none was right.
    pub fn failed(&self, address: IpAddr, callers: impl IntoIterator<Item = Caller>) {
        let one_more = |failures: Option<u32>| failures.unwrap_or(0).saturating_add(1);
        for caller in callers {
            self.0.of_caller.insert(caller, one_more(self.0.of_caller.get(&caller)));
        }
        self.0.of_address.insert(one(address), one_more(self.0.of_address.get(&one(address))));
    }

    /// A right key makes up for the failures of its name, and of others behind the same address for those of the address.
    fn succeeded(&self, caller: Caller) {
        self.0.of_caller.invalidate(&caller);
        self.0.of_address.invalidate(&caller.address);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection has come; `cut` ends it. Where too many wait, the oldest of the address that has most is ended: whoever logs on
    /// at once is served, whatever others hold open. Tells whether one was.
    pub fn wait(&self, address: IpAddr, cut: CancellationToken) -> (Place, bool) {
        let address = one(address);
        let mut waiting = self.waiting();
        let (number, limits) = (waiting.next, &self.0.limits);
        waiting.next += 1;
        let of = |address: IpAddr| waiting.there.iter().filter(move |waiter| waiter.address == address).count();
        let crowded = if of(address) >= limits.waiting_of_address {
            Some(address)
        } else if waiting.there.len() >= limits.waiting {
            waiting.there.iter().map(|waiter| waiter.address).max_by_key(|address| of(*address))
        } else {
            None
        };
        let oldest = crowded.and_then(|address| waiting.there.iter().position(|waiter| waiter.address == address));
        if let Some(oldest) = oldest {
            waiting.there.remove(oldest).cut.cancel();
        }
        waiting.there.push(Waiter { number, address, cut });
        (Place { doorman: self.clone(), number }, oldest.is_some())
    }

    /// Those who wait.
    pub fn waiting_now(&self) -> usize {
        self.waiting().there.len()
    }

    /// Those who have logged on.
    pub fn sessions_now(&self) -> usize {
        self.sessions().all
    }

    /// A user has proven a key; `None`: there is no room.
    pub fn enter(&self, user: Uuid, caller: Caller) -> Option<Session> {
        self.succeeded(caller);
        let mut sessions = self.sessions();
        let of_user = sessions.of_user.get(&user).copied().unwrap_or(0);
        if sessions.all >= self.0.limits.sessions || of_user >= self.0.limits.sessions_of_user {
            return None;
        }
        sessions.all += 1;
        sessions.of_user.insert(user, of_user + 1);
        Some(Session { doorman: self.clone(), user })
    }
}

/// A place among those who wait to log on.
pub struct Place {
    doorman: Doorman,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.doorman.waiting().there.retain(|waiter| waiter.number != self.number);
    }
}

/// A place among those who have logged on.
pub struct Session {
    doorman: Doorman,
    user: Uuid,
}

impl Session {
    /// Whose it is.
    pub fn user(&self) -> Uuid {
        self.user
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut sessions = self.doorman.sessions();
        sessions.all -= 1;
        match sessions.of_user.get_mut(&self.user) {
            Some(1) | None => drop(sessions.of_user.remove(&self.user)),
            Some(of_user) => *of_user -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doorman() -> Doorman {
        let limits = SftpLimits {
            waiting: 6,
            waiting_of_address: 4,
            sessions: 3,
            sessions_of_user: 2,
            failures: 3,
            ..SftpLimits::default()
        };
        Doorman::new(limits)
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_flood_ends_its_own_oldest_and_nobody_elses() {
        let doorman = doorman();
        let other = CancellationToken::new();
        let (_other, _) = doorman.wait(address(2), other.clone());
        let flood: Vec<_> = (0..500)
            .map(|_| {
                let cut = CancellationToken::new();
                (doorman.wait(address(1), cut.clone()), cut)
            })
            .collect();
        assert_eq!(doorman.waiting_now(), 5);
        assert_eq!(flood.iter().filter(|(_, cut)| !cut.is_cancelled()).count(), 4);
        assert!(!other.is_cancelled());
        // From many addresses: the one with most gives way.
        let _more: Vec<_> = (3..6).map(|last| doorman.wait(address(last), CancellationToken::new())).collect();
        assert_eq!(doorman.waiting_now(), 6);
        assert!(!other.is_cancelled());
        drop(flood);
        assert_eq!(doorman.waiting_now(), 4);
    }

    #[test]
    fn failures_shut_out_their_own_name_at_their_own_address_and_a_right_key_makes_up_for_them() {
        let doorman = doorman();
        let [own, other, elsewhere] = [(1, "KY"), (1, "OPUS"), (2, "KY")].map(|(last, name)| doorman.caller(address(last), name));
        let fails = |times| (0..times).for_each(|_| doorman.failed(address(1), [own]));
        fails(2);
        let _session = doorman.enter(Uuid::new_v4(), own).unwrap();
        fails(2);
        assert!(!doorman.is_refused(own));
        fails(1);
        assert!(doorman.is_refused(own));
        assert!(!doorman.is_refused(other) && !doorman.is_refused(elsewhere) && !doorman.is_banned(address(1)));
        // Another user's right key says nothing of this name.
        let _other = doorman.enter(Uuid::new_v4(), other).unwrap();
        assert!(doorman.is_refused(own));
    }

    #[test]
    fn an_address_is_not_answered_where_ten_names_fail_from_it() {
        let doorman = doorman();
        let fails = |times: usize, address: IpAddr| {
            (0..times).for_each(|number| doorman.failed(address, [doorman.caller(address, &number.to_string())]));
        };
        fails(29, address(1));
        let _session = doorman.enter(Uuid::new_v4(), doorman.caller(address(1), "KY")).unwrap();
        fails(29, address(1));
        assert!(!doorman.is_banned(address(1)), "a right key has made up for those before");
        fails(1, address(1));
        assert!(doorman.is_banned(address(1)) && !doorman.is_banned(address(2)));
        let [one, same, other] = ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        fails(30, one);
        assert!(doorman.is_banned(same) && !doorman.is_banned(other));
    }

    #[test]
    fn sessions_are_bounded_in_all_and_for_each_user() {
        let doorman = doorman();
        let [one, two] = [Uuid::new_v4(), Uuid::new_v4()];
        let caller = doorman.caller(address(1), "KY");
        let first = doorman.enter(one, caller);
        let second = doorman.enter(one, caller);
        assert!(second.is_some() && doorman.enter(one, caller).is_none());
        let third = doorman.enter(two, caller);
        assert!(third.is_some() && doorman.enter(two, caller).is_none());
        drop(first);
        assert!(doorman.enter(two, caller).is_some());
    }
}
