//! Who may try to log on: how many at once, and how often from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moka::sync::Cache;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::SftpLimits;

/// Addresses whose failures are remembered; the least recent are forgotten first.
const ADDRESSES: u64 = 100_000;

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

/// Counts those who wait to log on, those who have, and failures.
#[derive(Clone)]
pub struct Doorman(Arc<Inner>);

struct Inner {
    limits: SftpLimits,
    waiting: Mutex<Waiting>,
    sessions: Mutex<Sessions>,
    failures: Cache<IpAddr, u32>,
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
        let failures = Cache::builder().max_capacity(ADDRESSES).time_to_live(limits.failures_within).build();
        Self(Arc::new(Inner { limits, waiting: Mutex::default(), sessions: Mutex::default(), failures }))
    }

    /// Whether an address has failed too often. Nothing that it sends meanwhile is looked at, so nothing makes it last longer.
    pub fn is_banned(&self, address: IpAddr) -> bool {
        self.0.failures.get(&one(address)).is_some_and(|failures| failures as usize >= self.0.limits.failures)
    }

    /// A connection ended, and had offered keys of which none was right.
    pub fn failed(&self, address: IpAddr) {
        let failures = self.0.failures.get(&one(address)).unwrap_or(0);
        self.0.failures.insert(one(address), failures.saturating_add(1));
    }

    /// A right key makes up for the failures of others behind the same address.
    fn succeeded(&self, address: IpAddr) {
        self.0.failures.invalidate(&one(address));
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
    pub fn enter(&self, user: Uuid, address: IpAddr) -> Option<Session> {
        self.succeeded(address);
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
    fn failures_close_an_address_alone_and_a_right_key_makes_up_for_them() {
        let doorman = doorman();
        (0..2).for_each(|_| doorman.failed(address(1)));
        let _session = doorman.enter(Uuid::new_v4(), address(1)).unwrap();
        (0..2).for_each(|_| doorman.failed(address(1)));
        assert!(!doorman.is_banned(address(1)));
        doorman.failed(address(1));
        assert!(doorman.is_banned(address(1)));
        assert!(!doorman.is_banned(address(2)));
        let [one, same, other] = ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        (0..3).for_each(|_| doorman.failed(one));
        assert!(doorman.is_banned(same) && !doorman.is_banned(other));
    }

    #[test]
    fn sessions_are_bounded_in_all_and_for_each_user() {
        let doorman = doorman();
        let [one, two] = [Uuid::new_v4(), Uuid::new_v4()];
        let first = doorman.enter(one, address(1));
        let second = doorman.enter(one, address(1));
        assert!(second.is_some() && doorman.enter(one, address(1)).is_none());
        let third = doorman.enter(two, address(1));
        assert!(third.is_some() && doorman.enter(two, address(1)).is_none());
        drop(first);
        assert!(doorman.enter(two, address(1)).is_some());
    }
}
