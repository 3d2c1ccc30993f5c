//! How many calls the gateway works on at once, so that those it takes are served in time.
//!
//! Where more calls come than the processors can serve, each one that is let in makes all others later, until every one of
//! them is late. So the calls that are *worked on* are counted: from when the whole request is here, to when the answer is
//! made, and not while the index or the token service is waited for. A client that sends its body slowly holds nothing, and
//! an index that takes its time leaves the places to others.
//!
//! Several calls a processor are always taken. More are taken as a burst, which is worked off in no time. Where a burst does
//! not end, it is no burst but overload: from then on only as many are worked on as keep the processors busy, so that each
//! of them is quick, and the others are refused, until none has had to be for a while.
//!
//! Under overload each caller has a share: as many calls a second as were taken in the second before, divided by the callers
//! who made any. Whoever asks for no more than that is not refused; what is left is for those who ask for more. So a caller
//! who asks too much is refused, and not the others beside it. [`Shares`] does the same for what is held rather than done.
//!
//! Short of overload nobody is refused, and a caller with many calls would still make the others' late: the processors take
//! turns among all that they are given. So once as many calls are worked on as keep the processors busy, a call that was taken
//! waits while its caller has its part of that number under way already, unless the caller asks for no more than its share. Each
//! place that comes free goes to the caller who asked for the fewest calls: how long a caller's back end takes, and so how many
//! calls it has under way, says nothing of what it wants of the processors. A processor is never left idle by this: below that
//! number nobody waits.
//!
//! A call has its place as long as anybody works on it, also where its client is gone. So what it waits for can be taken off the
//! count only from a place that is held: [`Work::away`] does nothing for a task without one.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

/// More calls than are usually taken may be worked on for this long without a break.
const BURST: Duration = Duration::from_millis(100);
/// And so many times as many calls as usual at the most: a burst must be worked off before anybody gives up.
const BURST_OF: i64 = 4;
/// No burst is let in before no call has been refused for this long.
const CALM: Duration = Duration::from_secs(1);
/// A call waits no longer than this for its turn: then it is worked on, whatever others ask. Who waits is not refused.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shares are counted by the second.
const WINDOW: Duration = Duration::from_secs(1);
/// So many callers are distinguished within a second; of further ones those without a certificate have no share that they could be
/// under.
const CALLERS: usize = 10_000;

/// A caller, as far as shares go: what a connection proves of whoever is at its other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Who {
    /// The certificate that it showed in TLS, by its SHA-256.
    Certificate([u8; 32]),
    /// It showed none: where it comes from.
    Address(IpAddr),
    /// Nothing is known; all such are one.
    #[default]
    Anybody,
}

impl Who {
    /// Whoever shows no certificate and comes from here. In IPv6 one subscriber has a whole network of 64 bits.
    pub fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
            address => address,
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(thumbprint) => write!(f, "certificate {}", crate::hex::encode(thumbprint)),
            Self::Address(_) | Self::Anybody => f.write_str("no certificate"),
        }
    }
}

/// The calls that are worked on, and the limit on them. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Work(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    usual: i64,
    overloaded: i64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Calls that came back from what they waited for are let in whatever the limit: they are not refused so late.
    working: i64,
    /// Calls that wait for what all of them get in one moment.
    together: i64,
    /// Calls that were taken and wait for their turn, each caller's in the order in which they came. Bounded as those worked on are.
    waiting: HashMap<Who, VecDeque<Waits>>,
    /// How many those are.
    waits: i64,
    /// What the next call that waits is known by.
    turn: u64,
    /// How many places each caller has, those of calls that wait for the index among them.
    held: HashMap<Who, i64>,
    /// Since when as many as usual, or more, have been worked on or waited for their turn without a break.
    full_since: Option<Instant>,
    last_refused: Option<Instant>,
    refused: u64,
    /// This second and the one before it.
    now: Window,
    before: Window,
}

/// What happened within a second.
#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    /// How many calls each caller made, whatever became of them.
    asked: HashMap<Who, u32>,
    /// How many were taken, of all.
    taken: u64,
}

/// A call that waits for its turn.
#[derive(Debug)]
struct Waits {
    turn: u64,
    go: oneshot::Sender<()>,
}

impl State {
    /// Calls that were taken and want a processor, whether it is their turn or not.
    fn load(&self) -> i64 {
        self.working.saturating_add(self.waits)
    }

    fn held(&self, who: Who) -> i64 {
        self.held.get(&who).copied().unwrap_or(0)
    }

    fn hold(&mut self, who: Who) {
        *self.held.entry(who).or_default() += 1;
    }

    /// Nobody is remembered who holds nothing.
    fn release(&mut self, who: Who) {
        match self.held.get_mut(&who) {
            Some(held) if *held > 1 => *held -= 1,
            _ => drop(self.held.remove(&who)),
        }
    }

    fn wait(&mut self, who: Who, waits: Waits) {
        self.waits += 1;
        self.waiting.entry(who).or_default().push_back(waits);
    }

    fn position(&self, who: Who, turn: u64) -> Option<usize> {
        self.waiting.get(&who)?.iter().position(|waits| waits.turn == turn)
    }

    /// A call waits no longer.
    fn leaves(&mut self, who: Who, at: usize) -> Option<Waits> {
        let own = self.waiting.get_mut(&who)?;
        let left = own.remove(at)?;
        if own.is_empty() {
            self.waiting.remove(&who);
        }
        self.waits -= 1;
        Some(left)
    }

    /// A call that waited is worked on.
    fn lets_go(&mut self, who: Who, at: usize) {
        if let Some(first) = self.leaves(who, at) {
            self.working += 1;
            self.hold(who);
            // Where nobody hears of it any more the turn is being dropped, and gives the place back: see `Turn`.
            let _ = first.go.send(());
        }
    }

    /// Whose turn is next: of those who wait the caller who asked for the fewest calls, then who has the fewest places, then who came
    /// first. Whoever is not told apart from others is last.
    fn first_in_line(&self) -> Option<Who> {
        let firsts = self.waiting.iter().filter_map(|(who, own)| Some((*who, own.front()?.turn)));
        firsts.min_by_key(|(who, turn)| (self.asked(*who).unwrap_or(u32::MAX), self.held(*who), *turn)).map(|(who, _)| who)
    }

    /// Of how many callers it is known that they made a call in this second or the one before.
    fn callers(&self) -> usize {
        self.now.asked.len().max(self.before.asked.len())
    }

    /// Notes a call, whatever becomes of it.
    fn asks(&mut self, who: Who, now: Instant) {
        let since = *self.now.since.get_or_insert(now);
        let past = now.duration_since(since);
        if past >= WINDOW {
            let over = std::mem::replace(&mut self.now, Window { since: Some(now), ..Window::default() });
            // Where nobody asked for a whole second nothing is known of it.
            self.before = if past < 2 * WINDOW { over } else { Window::default() };
        }
        // Half of them are for those who show a certificate: addresses cost nothing.
        let most = if matches!(who, Who::Certificate(_)) { CALLERS } else { CALLERS / 2 };
        let room = self.now.asked.len() < most;
        match self.now.asked.get_mut(&who) {
            Some(asked) => *asked = asked.saturating_add(1),
            None if room => drop(self.now.asked.insert(who, 1)),
            None => {}
        }
    }

    /// How many calls a caller made in this second or in the one before, whichever are more; `None`: it is not known.
    fn asked(&self, who: Who) -> Option<u32> {
        self.now.asked.get(&who).max(self.before.asked.get(&who)).copied()
    }

    /// Whether a caller asks for no more than its share.
    fn is_within_its_share(&self, who: Who) -> bool {
        let callers = self.before.asked.len().max(1) as u64;
        self.asked(who).is_some_and(|asked| u64::from(asked) <= (self.before.taken / callers).max(1))
    }
}

/// What [`Work`] did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Calls that are worked on, or wait for their turn.
    pub working: i64,
    /// Calls that were refused for want of room.
    pub refused: u64,
}

tokio::task_local! {
    /// The place of the call that a task works on.
    static PLACE: Place;
}

/// One call's place. A clone is the same one; it is given back when the last of them is dropped.
#[derive(Debug, Clone)]
#[must_use = "the call counts as worked on while this is held"]
pub struct Place(Arc<Own>);

#[derive(Debug)]
struct Own {
    work: Work,
    who: Who,
    /// For how much its call waits at once. Changes with the state locked.
    aways: AtomicU32,
}

/// What a call has that is not refused.
#[derive(Debug)]
enum Taken {
    Place(Place),
    Turn(Turn),
}

/// One call's turn, which is waited for. Whoever leaves the line drops it, and with it the place if it has come meanwhile.
#[derive(Debug)]
struct Turn {
    work: Work,
    who: Who,
    turn: u64,
    come: oneshot::Receiver<()>,
    /// Whether its place is somebody's who gives it back.
    over: bool,
}

/// A call waits for somebody else. It is worked on again when this, and all other waits of the same call, are dropped.
#[derive(Debug)]
#[must_use = "the call counts as waiting while this is held"]
pub struct Away {
    /// `None`: whoever waits has no place.
    place: Option<Place>,
    together: bool,
}

impl Work {
    /// So many calls are always taken where there is no overload, and so many (no more than that) where there is.
    pub fn new(usual: usize, overloaded: usize) -> Self {
        let [usual, overloaded] = [usual, overloaded.min(usual)].map(|calls| i64::try_from(calls).unwrap_or(i64::MAX));
        Self(Arc::new(Shared { usual, overloaded, state: Mutex::default() }))
    }

    /// The same, for each processor.
    pub fn for_processors(usual: usize, overloaded: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(usual.saturating_mul(processors), overloaded.saturating_mul(processors))
    }

    /// No limit.
    pub fn unbounded() -> Self {
        Self::new(usize::MAX, usize::MAX)
    }

    /// A place for one more call of this caller, whose whole request is here, as soon as it is its turn; `None`: it is to be
    /// refused, and counts as such. Whoever stops waiting leaves nothing behind.
    pub async fn enter(&self, who: Who) -> Option<Place> {
        match self.enter_at(who, Instant::now())? {
            Taken::Place(place) => Some(place),
            Taken::Turn(turn) => Some(turn.comes().await),
        }
    }

    fn enter_at(&self, who: Who, now: Instant) -> Option<Taken> {
        let mut state = self.state();
        if !self.takes(&mut state, who, now) {
            return None;
        }
        state.now.taken += 1;
        let taken = if self.may_go(&state, who) {
            state.working += 1;
            state.hold(who);
            Taken::Place(Place::new(self.clone(), who))
        } else {
            let (go, come) = oneshot::channel();
            state.turn += 1;
            let turn = state.turn;
            state.wait(who, Waits { turn, go });
            Taken::Turn(Turn { work: self.clone(), who, turn, come, over: false })
        };
        self.fuller(&mut state, now);
        Some(taken)
    }

    /// Whether a call of this caller would be taken now; it counts as refused if not. So a call too many is known before any
    /// of it is read. Each call is asked about once.
    pub fn has_room(&self, who: Who) -> bool {
        self.has_room_at(who, Instant::now())
    }

    fn has_room_at(&self, who: Who, now: Instant) -> bool {
        let mut state = self.state();
        state.asks(who, now);
        self.takes(&mut state, who, now)
    }

    /// Counts a call as refused that another limit refused.
    pub fn refuse(&self) {
        self.state().refused += 1;
    }

    /// The call that this task works on waits for somebody else: see [`Place::given_to`]. A task that works on none takes nothing off the
    /// count.
    pub fn away(&self) -> Away {
        self.away_for(false)
    }

    /// The same, for what all who wait for it get in one moment. So many calls come back at once, each with most of its work ahead; so no
    /// more are let in to wait than a burst may have, but of callers within their share.
    pub fn away_together(&self) -> Away {
        self.away_for(true)
    }

    fn away_for(&self, together: bool) -> Away {
        match Place::current().filter(|place| Arc::ptr_eq(&place.0.work.0, &self.0)) {
            Some(place) => place.leaves(together),
            None => Away { place: None, together },
        }
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        let state = self.state();
        Stats { working: state.load(), refused: state.refused }
    }

    fn takes(&self, state: &mut State, who: Who, now: Instant) -> bool {
        let load = state.load();
        let burst = self.0.usual.saturating_mul(BURST_OF);
        if state.together > 0 && load.saturating_add(state.together) >= burst && !state.is_within_its_share(who) {
            state.refused += 1;
            return false;
        }
        if load < self.0.overloaded {
            return true;
        }
        let within = |since: Option<Instant>, long| since.is_some_and(|since| now.duration_since(since) < long);
        let most = if within(state.full_since, BURST) { burst } else { self.0.usual };
        if load < most && !within(state.last_refused, CALM) {
            return true;
        }
        state.last_refused = Some(now);
        if load < burst && state.is_within_its_share(who) {
            return true;
        }
        state.refused += 1;
        false
    }

    /// Whether a call of this caller is worked on at once. A caller who is alone makes nobody late.
    fn may_go(&self, state: &State, who: Who) -> bool {
        let callers = i64::try_from(state.callers()).unwrap_or(i64::MAX);
        callers < 2
            || state.working < self.0.overloaded
            || state.is_within_its_share(who)
            || state.held(who) < (self.0.overloaded / callers).max(1)
    }

    /// Lets those go whose turn has come.
    fn let_go(&self, state: &mut State) {
        while let Some(who) = state.first_in_line().filter(|who| self.may_go(state, *who)) {
            state.lets_go(who, 0);
        }
    }

    fn fuller(&self, state: &mut State, now: Instant) {
        if state.load() >= self.0.usual && state.full_since.is_none() {
            state.full_since = Some(now);
        }
    }

    fn emptier(&self, state: &mut State) {
        self.let_go(state);
        if state.load() < self.0.usual {
            state.full_since = None;
        }
    }

    fn give_back(&self, state: &mut State, who: Who) {
        state.working -= 1;
        state.release(who);
        self.emptier(state);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn new(work: Work, who: Who) -> Self {
        Self(Arc::new(Own { work, who, aways: AtomicU32::new(0) }))
    }

    /// The place of the call that this task works on. Whoever goes on with the call on a task of its own takes it along.
    pub fn current() -> Option<Self> {
        PLACE.try_with(Self::clone).ok()
    }

    /// Gives the place to what works on the call, until that ends or is dropped.
    pub async fn given_to<F: Future>(self, works: F) -> F::Output {
        PLACE.scope(self, works).await
    }

    fn leaves(self, together: bool) -> Away {
        let work = &self.0.work;
        let mut state = work.state();
        if self.0.aways.fetch_add(1, Ordering::Relaxed) == 0 {
            state.working -= 1;
        }
        state.together += i64::from(together);
        work.emptier(&mut state);
        drop(state);
        Away { place: Some(self), together }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.work.give_back(&mut self.work.state(), self.who);
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let Some(Place(own)) = &self.place else { return };
        let mut state = own.work.state();
        state.together -= i64::from(self.together);
        if own.aways.fetch_sub(1, Ordering::Relaxed) == 1 {
            state.working += 1;
            own.work.fuller(&mut state, Instant::now());
        }
    }
}

impl Turn {
    async fn comes(mut self) -> Place {
        if timeout(PATIENCE, &mut self.come).await.is_err() {
            let mut state = self.work.state();
            // Unless it came just now.
            if let Some(at) = state.position(self.who, self.turn) {
                state.lets_go(self.who, at);
            }
        }
        self.over = true;
        Place::new(self.work.clone(), self.who)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut state = self.work.state();
        match state.position(self.who, self.turn) {
            Some(at) => {
                state.leaves(self.who, at);
                self.work.emptier(&mut state);
            }
            // It came, and nobody is there to use it.
            None => self.work.give_back(&mut state, self.who),
        }
    }
}

/// So many times as many as are free may one caller hold: alone four fifths of all, beside another as greedy four ninths.
const OF_THE_FREE: usize = 4;

/// Places that callers hold for as long as they like, of which none can take all: there is always one for another. Cheap to
/// clone; clones share it.
#[derive(Debug, Clone)]
pub struct Shares(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    free: usize,
    by: HashMap<Who, usize>,
}

/// One held place. Given back when dropped.
#[derive(Debug)]
#[must_use = "the place is held while this is"]
pub struct Share(Shares, Who);

impl Shares {
    /// So many places.
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(Held { free: places, by: HashMap::new() })))
    }

    /// A place for this caller; `None` where none is free, or it holds too many of them.
    pub fn take(&self, who: Who) -> Option<Share> {
        let mut held = self.held();
        let own = held.by.get(&who).copied().unwrap_or(0);
        if own >= held.free.saturating_mul(OF_THE_FREE) {
            return None;
        }
        held.free -= 1;
        held.by.insert(who, own + 1);
        Some(Share(self.clone(), who))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.0.held();
        held.free += 1;
        // Nobody is remembered who holds nothing.
        match held.by.get_mut(&self.1) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(held.by.remove(&self.1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away(taken: &Taken) -> Away {
        match taken {
            Taken::Place(place) => place.clone().leaves(false),
            Taken::Turn(_) => panic!("it waits for its turn"),
        }
    }

    fn enter(work: &Work, calls: usize, now: Instant) -> Vec<Taken> {
        (0..calls).map_while(|_| work.enter_at(Who::Anybody, now)).collect()
    }

    fn who(number: u8) -> Who {
        Who::Certificate([number; 32])
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller_and_an_address_of_ipv4_is_itself_however_it_is_written() {
        let at = |address: &str| Who::at(address.parse().unwrap());
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("192.0.2.1"), at("::ffff:192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }

    #[test]
    fn whoever_shows_a_certificate_has_a_share_beside_any_number_of_addresses() {
        let (mut state, now) = (State::default(), Instant::now());
        for number in 0..=u32::try_from(CALLERS).unwrap() {
            state.asks(Who::at(std::net::Ipv4Addr::from_bits(number).into()), now);
        }
        state.asks(who(1), now);
        assert_eq!(state.now.asked.len(), CALLERS / 2 + 1);
        assert!(state.is_within_its_share(who(1)));
    }

    /// Calls of these callers within a second, one after the other, each worked on for as long as `work_takes`: how many of each
    /// were taken, and how many were worked on at once.
    fn second(work: &Work, began: Instant, asked: &[(u8, usize)], work_takes: Duration) -> (HashMap<u8, usize>, i64) {
        let mut calls: Vec<(Duration, u8)> = asked
            .iter()
            .flat_map(|(number, times)| {
                let (number, times) = (*number, *times);
                // Spread over the second, each caller at its own pace.
                (0..times)
                    .map(move |n| (WINDOW.mul_f64((n as f64 + 0.5 + f64::from(number) / 200.0) / (times as f64 + 1.0)), number))
            })
            .collect();
        calls.sort();
        let (mut taken, mut most, mut under_way) = (HashMap::new(), 0, Vec::<(Duration, Taken)>::new());
        for (at, number) in calls {
            under_way.retain(|(until, _)| *until > at);
            let now = began + at;
            if work.has_room_at(who(number), now)
                && let Some(place) = work.enter_at(who(number), now)
            {
                under_way.push((at + work_takes, place));
                *taken.entry(number).or_default() += 1;
                most = most.max(work.stats().working);
            }
        }
        (taken, most)
    }

    #[test]
    fn of_98_callers_of_whom_one_asks_50_times_as_much_the_others_are_all_served_under_overload() {
        // Two processors, and two calls at once on each keep them busy: 500 calls a second. 97 callers make 388, one 200.
        let (work, took) = (Work::new(16, 4), Duration::from_millis(8));
        let quiet: Vec<(u8, usize)> = (1..98).map(|number| (number, 4)).collect();
        let all: Vec<_> = quiet.iter().copied().chain([(0, 200)]).collect();
        let began = Instant::now();
        drop(enter(&work, 100, began));
        let (mut served, mut refused) = (HashMap::new(), work.stats().refused);
        assert!(refused > 0, "it is overloaded");
        for n in 0..5 {
            served = second(&work, began + WINDOW * n, &all, took).0;
            assert!(work.stats().refused > refused, "and stays so");
            refused = work.stats().refused;
        }
        for (number, times) in quiet {
            assert_eq!(served.get(&number), Some(&times), "caller {number} is served whole");
        }
        assert!(served.get(&0).copied().unwrap_or(0) < 200, "the one that asks too much is refused: {:?}", served.get(&0));
    }

    #[test]
    fn a_caller_alone_has_no_more_under_overload_for_being_alone() {
        let (work, places, now) = overloaded();
        drop(places);
        let held: Vec<_> =
            (0..100).map_while(|_| work.has_room_at(who(1), now).then(|| work.enter_at(who(1), now))).flatten().collect();
        assert_eq!(held.len(), 2);
    }

    #[test]
    fn callers_who_all_ask_too_much_have_no_more_under_overload_together() {
        let (work, places, began) = overloaded();
        drop(places);
        let all: Vec<_> = (1..11).map(|number| (number, 300)).collect();
        // In the first second nobody is known to ask too much.
        second(&work, began, &all, Duration::from_millis(20));
        for n in 1..4 {
            assert_eq!(second(&work, began + WINDOW * n, &all, Duration::from_millis(20)).1, 2);
        }
    }

    #[test]
    fn so_many_callers_that_they_cannot_be_told_apart_are_bounded() {
        let (work, _places, now) = overloaded();
        for n in 0..3 * CALLERS as u32 {
            let mut thumbprint = [0; 32];
            thumbprint[..4].copy_from_slice(&n.to_be_bytes());
            work.has_room_at(Who::Certificate(thumbprint), now);
        }
        assert_eq!(work.state().now.asked.len(), CALLERS);
    }

    #[test]
    fn no_caller_can_hold_every_place_and_alone_it_can_hold_four_fifths() {
        let shares = Shares::new(256);
        let take = |number, most: usize| (0..most).map_while(|_| shares.take(who(number))).collect::<Vec<_>>();
        let greedy = take(1, 1000);
        assert_eq!(greedy.len(), 205, "four fifths");
        for number in 2..50 {
            assert_eq!(take(number, 1).len(), 1, "another has a place: {number}");
        }
        let beside = take(2, 1000);
        assert_eq!(beside.len(), 41, "four fifths of what is left");
        drop(greedy);
        assert_eq!(take(1, 1000).len(), 172, "four fifths of what is free");
        drop(beside);
        assert_eq!(shares.held().by.len(), 0, "who holds nothing is not remembered");
        assert_eq!(shares.held().free, 256);
    }

    #[test]
    fn where_there_are_few_places_one_caller_may_hold_them_all_until_another_comes() {
        for places in 1..=3 {
            let shares = Shares::new(places);
            let held: Vec<_> = (0..9).map_while(|_| shares.take(Who::Anybody)).collect();
            assert_eq!(held.len(), places);
        }
        assert!(Shares::new(0).take(Who::Anybody).is_none());
    }

    /// Six places, two under overload; all are taken, and a burst has just been refused.
    fn overloaded() -> (Work, Vec<Taken>, Instant) {
        let (work, now) = (Work::new(6, 2), Instant::now());
        let places = enter(&work, 6, now);
        assert!(work.enter_at(Who::Anybody, now + BURST).is_none());
        (work, places, now + BURST)
    }

    #[test]
    fn as_many_calls_as_usual_are_never_refused_however_long_they_take() {
        let (work, mut now) = (Work::new(6, 2), Instant::now());
        let mut places = enter(&work, 6, now);
        for _ in 0..1000 {
            now += BURST;
            places.pop();
            places.extend(work.enter_at(Who::Anybody, now));
            assert_eq!(places.len(), 6);
        }
        assert_eq!(work.stats(), Stats { working: 6, refused: 0 });
    }

    #[test]
    fn a_burst_is_taken_whole() {
        let work = Work::new(6, 2);
        let places = enter(&work, 20, Instant::now());
        assert_eq!(places.len(), 20);
        drop(places);
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
    }

    #[test]
    fn a_burst_that_would_take_long_to_work_off_is_overload() {
        let (work, now) = (Work::new(6, 2), Instant::now());
        assert_eq!(enter(&work, 100, now).len(), 24, "four times as many as usual");
        assert_eq!(enter(&work, 100, now).len(), 2);
    }

    #[test]
    fn a_burst_that_does_not_end_is_overload() {
        let (work, now) = (Work::new(6, 2), Instant::now());
        let mut places = enter(&work, 10, now);
        places.extend(work.enter_at(Who::Anybody, now + BURST / 2));
        assert_eq!(places.len(), 11, "not yet");
        let now = now + BURST;
        assert!(work.enter_at(Who::Anybody, now).is_none(), "as many as usual have been there for as long as a burst may take");
        places.truncate(2);
        assert!(
            work.enter_at(Who::Anybody, now).is_none(),
            "fewer than usual are worked on until it is over: each of them is quick"
        );
        places.truncate(1);
        places.extend(work.enter_at(Who::Anybody, now));
        assert_eq!(places.len(), 2, "a place that is free is given away, overload or not");
        assert_eq!(work.stats(), Stats { working: 2, refused: 2 });
    }

    #[test]
    fn bursts_are_taken_again_when_none_has_been_refused_for_a_while() {
        let (work, places, now) = overloaded();
        drop(places);
        let now = now + CALM / 2;
        assert_eq!(enter(&work, 100, now).len(), 2);
        // The last of those hundred was refused just now.
        let now = now + CALM / 2;
        assert_eq!(enter(&work, 100, now).len(), 2);
        assert_eq!(enter(&work, 20, now + CALM).len(), 20);
    }

    #[test]
    fn a_call_that_waits_for_the_index_leaves_its_place_to_another() {
        let (work, places, now) = overloaded();
        drop(places);
        let mut waiting = Vec::new();
        for _ in 0..300 {
            let place = work.enter_at(Who::Anybody, now).expect("an index that takes its time must not fill the gateway");
            waiting.push((away(&place), place));
        }
        // All answers come at once: none of these calls is refused so late, and new ones are until they are done.
        let back: Vec<_> = waiting.into_iter().map(|(away, place)| (drop(away), place)).collect();
        assert_eq!(work.stats().working, 300);
        assert!(work.enter_at(Who::Anybody, now).is_none());
        drop(back);
        assert_eq!(work.stats().working, 0, "nothing is counted twice or lost");
        assert!(work.enter_at(Who::Anybody, now).is_some());
    }

    /// A busy caller and two others, whose calls are known of; as many worked on as `overloaded` keep the processors busy.
    fn beside_others(overloaded: usize, now: Instant) -> Work {
        let work = Work::new(4 * overloaded, overloaded);
        for (number, calls) in [(0, 20), (1, 1), (2, 1)] {
            asks(&work, number, calls, now);
        }
        work
    }

    fn asks(work: &Work, number: u8, calls: usize, now: Instant) {
        assert!((0..calls).all(|_| work.has_room_at(who(number), now)));
    }

    fn taken(work: &Work, number: u8, now: Instant) -> Taken {
        work.enter_at(who(number), now).expect("none of these is refused")
    }

    fn at_once(work: &Work, number: u8, now: Instant) -> Place {
        match taken(work, number, now) {
            Taken::Place(place) => place,
            Taken::Turn(_) => panic!("caller {number} waits"),
        }
    }

    fn in_line(work: &Work, number: u8, now: Instant) -> Turn {
        match taken(work, number, now) {
            Taken::Turn(turn) => turn,
            Taken::Place(_) => panic!("caller {number} does not wait"),
        }
    }

    impl Turn {
        fn has_come(&mut self) -> bool {
            self.come.try_recv().is_ok()
        }
    }

    #[test]
    fn where_one_caller_has_its_part_under_way_its_next_call_waits_and_anothers_is_worked_on_at_once() {
        let now = Instant::now();
        let work = beside_others(2, now);
        let busy = [at_once(&work, 0, now), at_once(&work, 0, now)];
        let mut next = in_line(&work, 0, now);
        let other = at_once(&work, 1, now);
        let [first, second] = busy;
        drop(first);
        assert!(!next.has_come(), "the processors are as busy as before");
        drop(other);
        assert!(next.has_come(), "a processor is not left idle while somebody waits");
        drop(second);
        drop(next);
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
        assert!(work.state().held.is_empty(), "who holds nothing is not remembered");
    }

    #[test]
    fn of_those_who_wait_the_caller_with_the_fewest_calls_under_way_goes_first_and_of_one_caller_who_came_first() {
        let now = Instant::now();
        let work = beside_others(4, now);
        // As many as the busy one asked for.
        asks(&work, 1, 19, now);
        let mut busy: Vec<_> = (0..3).map(|_| at_once(&work, 0, now)).collect();
        let quiet = at_once(&work, 1, now);
        let [mut first, mut second, mut late] = [in_line(&work, 0, now), in_line(&work, 0, now), in_line(&work, 1, now)];
        drop(busy.pop());
        assert!(late.has_come(), "one under way against two, although it came last");
        assert!(!first.has_come() && !second.has_come());
        drop(busy.pop());
        assert!(first.has_come() && !second.has_come());
        drop((busy, quiet, first, second, late));
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
    }

    #[test]
    fn a_client_that_leaves_while_its_call_waits_leaves_no_place_taken_whether_or_not_its_turn_had_come() {
        let now = Instant::now();
        let work = beside_others(2, now);
        let busy = [at_once(&work, 0, now), at_once(&work, 0, now)];
        let [gone, mut granted, mut last] = [in_line(&work, 0, now), in_line(&work, 0, now), in_line(&work, 0, now)];
        assert_eq!(work.stats().working, 5);
        drop(gone);
        assert_eq!(work.stats().working, 4);
        let [one, other] = busy;
        drop(one);
        assert!(granted.has_come() && !last.has_come());
        drop(granted);
        assert!(last.has_come(), "the place of who left goes to the next");
        drop((last, other));
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
        assert!(work.state().held.is_empty());
    }

    #[test]
    fn a_call_that_waits_for_the_index_lets_the_next_in_line_go() {
        let now = Instant::now();
        let work = beside_others(2, now);
        let busy = [at_once(&work, 0, now), at_once(&work, 0, now)];
        let mut next = in_line(&work, 0, now);
        let away = busy[0].clone().leaves(false);
        assert!(next.has_come());
        drop(away);
        assert_eq!(work.stats().working, 3);
        drop((busy, next));
        assert_eq!(work.stats().working, 0);
    }

    #[test]
    fn a_caller_who_is_alone_never_waits() {
        let (work, now) = (Work::new(8, 2), Instant::now());
        assert!(work.has_room_at(who(0), now));
        let all: Vec<_> = (0..8).map(|_| at_once(&work, 0, now)).collect();
        assert_eq!(work.stats().working, all.len() as i64);
    }

    #[test]
    fn calls_that_wait_count_towards_overload_so_that_no_more_wait_than_would_be_worked_on() {
        let now = Instant::now();
        let work = beside_others(2, now);
        let all: Vec<_> = (0..1000).map_while(|_| work.enter_at(who(0), now)).collect();
        assert_eq!(all.len(), 32, "four times as many as usual, which are eight");
        assert_eq!(work.state().waits, 30);
        drop(all);
        assert_eq!((work.stats().working, work.state().waits), (0, 0));
    }

    #[tokio::test]
    async fn a_call_waits_for_its_turn_no_longer_than_a_second_and_is_then_worked_on() {
        let now = Instant::now();
        let work = beside_others(1, now);
        let other = at_once(&work, 1, now);
        let own = at_once(&work, 0, now);
        let turn = in_line(&work, 0, now);
        // Nobody gives a place back meanwhile.
        let place = timeout(Duration::from_secs(60), turn.comes()).await.expect("it goes by itself");
        assert_eq!((work.stats().working, work.state().waits), (3, 0));
        drop((place, own, other));
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
        assert!(work.state().held.is_empty());
    }

    #[tokio::test]
    async fn who_enters_is_told_when_its_turn_has_come_and_who_gives_up_entering_is_forgotten() {
        let now = Instant::now();
        let work = beside_others(1, now);
        let own = at_once(&work, 0, now);
        let mut entering = Box::pin(work.enter(who(0)));
        let mut gives_up = Box::pin(work.enter(who(0)));
        tokio::select! {
            biased;
            _ = &mut entering => panic!("it is not its turn"),
            _ = &mut gives_up => panic!("nor its"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(work.state().waits, 2);
        drop(gives_up);
        assert_eq!(work.state().waits, 1);
        drop(own);
        drop(timeout(Duration::from_secs(60), entering).await.expect("its turn comes").unwrap());
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
    }

    #[test]
    fn a_caller_within_its_share_does_not_wait_however_many_calls_it_has_at_a_slow_back_end() {
        let now = Instant::now();
        let work = beside_others(2, now);
        let slow: Vec<_> = (0..20).map(|_| taken(&work, 1, now)).map(|call| (away(&call), call)).collect();
        let busy = [at_once(&work, 0, now), at_once(&work, 0, now)];
        let next = in_line(&work, 0, now);
        let quiet = at_once(&work, 1, now);
        assert_eq!(work.stats(), Stats { working: 4, refused: 0 });
        drop((slow, busy, next, quiet));
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
        assert!(work.state().held.is_empty() && work.state().waiting.is_empty());
    }

    #[test]
    fn of_those_who_wait_the_caller_who_asked_for_fewer_goes_first_although_more_of_its_calls_wait_for_its_back_end() {
        let now = Instant::now();
        let work = beside_others(2, now);
        asks(&work, 1, 4, now);
        let slow: Vec<_> = (0..5).map(|_| taken(&work, 1, now)).map(|call| (away(&call), call)).collect();
        let mut busy = vec![at_once(&work, 0, now), at_once(&work, 0, now)];
        let [mut next, mut fewer] = [0, 1].map(|number| in_line(&work, number, now));
        drop(busy.pop());
        assert!(fewer.has_come() && !next.has_come());
        drop((slow, busy, next, fewer));
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
    }

    #[tokio::test]
    async fn work_that_outlives_its_client_keeps_its_place_and_waits_without_taking_off_more_than_that() {
        let work = Work::new(4, 1);
        let place = work.enter(who(0)).await.unwrap();
        let (answers, answer) = oneshot::channel::<()>();
        let of_call = work.clone();
        let (waits, waited) = oneshot::channel();
        let lasts = tokio::spawn(place.clone().given_to(async move {
            let _away = of_call.away();
            waits.send(()).unwrap();
            answer.await
        }));
        drop(place);
        waited.await.unwrap();
        assert_eq!((work.stats().working, work.state().held(who(0))), (0, 1));
        answers.send(()).unwrap();
        lasts.await.unwrap().unwrap();
        assert_eq!(work.stats().working, 0);
        assert!(work.state().held.is_empty());
    }

    #[tokio::test]
    async fn a_call_that_waits_for_two_at_once_has_one_place_and_who_has_none_takes_nothing_off() {
        let work = Work::new(4, 1);
        let nobody = work.away();
        assert_eq!(work.stats().working, 0);
        let place = work.enter(who(0)).await.unwrap();
        let elsewhere = Work::new(4, 1);
        let counts = || (work.stats().working, elsewhere.stats().working);
        let within = async {
            let [one, other] = [work.away(), work.away()];
            let _not_its_own = elsewhere.away();
            assert_eq!(counts(), (0, 0));
            drop(one);
            assert_eq!(counts(), (0, 0), "it still waits for the other");
            drop(other);
            assert_eq!(counts(), (1, 0));
        };
        place.given_to(within).await;
        drop(nobody);
        assert_eq!(counts(), (0, 0));
    }

    #[test]
    fn no_more_calls_wait_for_what_comes_to_all_of_them_at_once_than_a_burst_but_of_callers_within_their_share() {
        let now = Instant::now();
        let work = beside_others(1, now);
        let mut stalled = Vec::new();
        while let Some(Taken::Place(place)) = work.enter_at(who(0), now) {
            stalled.push((place.clone().leaves(true), place));
            assert!(stalled.len() < 1000, "they would all come back in one moment");
        }
        assert_eq!(stalled.len(), 16, "four times as many as usual, which are four");
        assert!(!work.has_room_at(who(0), now));
        assert!(work.has_room_at(who(2), now + WINDOW), "a quiet caller waits with them");
        drop(stalled);
        assert!(work.has_room_at(who(0), now + WINDOW), "whoever is refused for them is not once they are back");
        assert_eq!(work.stats().working, 0);
    }

    #[test]
    fn asking_for_room_takes_none() {
        let work = Work::new(1, 1);
        assert!(work.has_room(Who::Anybody) && work.has_room(Who::Anybody));
        assert_eq!(work.stats(), Stats { working: 0, refused: 0 });
    }
}
