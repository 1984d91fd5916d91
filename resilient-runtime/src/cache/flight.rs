//! Single-flight: concurrent calls with the same key are one run of the body.
//!
//! The first call of a key *leads*: it runs the body, in its own task. The others *follow*: they wait for the answer. A
//! leader that ends without an answer to share leaves its place to a follower. That is the first one to be polled, and
//! one is woken for it; if that one is dropped instead, it wakes the next.
//!
//! The locks are held for a few steps each, never while user code runs: wakers are woken and dropped outside of them.
//! Their order is: the table, a flight, [`Wait`].

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{KeyIsHash, Landing, Wait};

/// The key of the answer, and the generation in which its run began.
type Key = (u128, u64);

/// The runs of the body of one function that are under way.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<Key, Arc<Flight>, BuildHasherDefault<KeyIsHash>>>);

struct Flight {
    /// Unique in the process.
    id: u64,
    key: Key,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// The followers, the oldest first, and whom to wake for each. `None`: it is being polled, or was woken.
    followers: BTreeMap<u64, Option<Waker>>,
    next: u64,
}

enum Phase {
    Led,
    /// The leader has ended without an answer to share. The next follower or newcomer that is polled leads.
    Vacant,
    /// There is an answer to share, or, with `None`, each follower has to begin again.
    Ended(Option<Arc<Landing>>),
}

/// What a call does about a key.
pub(crate) enum Joined {
    /// It runs the body, for others too.
    Leads(Lead),
    /// It waits for the answer of another call.
    Follows(Follower),
    /// It runs the body for itself.
    Alone,
}

/// The place of the leader, who leaves it to a follower on drop.
pub(crate) struct Lead {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    has_ended: bool,
}

/// A place among the followers.
pub(crate) struct Follower {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    /// `None` once it has left.
    number: Option<u64>,
    _wait: Wait,
}

/// The end of a wait.
pub(crate) enum Followed {
    Landed(Arc<Landing>),
    /// The call leads now.
    Leads(Lead),
    /// The call has to begin again.
    Again,
}

impl Flights {
    /// Leads or follows the run of this key. `wait`: permits to follow the run with an id.
    pub(crate) fn join(self: &Arc<Self>, key: Key, wait: impl FnOnce(u64) -> Option<Wait>) -> Joined {
        let mut flights = self.lock();
        let Some(flight) = flights.get(&key) else {
            let flight = Arc::new(Flight::new(key));
            flights.insert(key, Arc::clone(&flight));
            return Joined::Leads(self.lead(flight));
        };
        let flight = Arc::clone(flight);
        let mut state = flight.lock();
        if matches!(state.phase, Phase::Vacant) {
            state.phase = Phase::Led;
            drop(state);
            return Joined::Leads(self.lead(flight));
        }
        let Some(wait) = wait(flight.id) else { return Joined::Alone };
        let number = state.next;
        state.next += 1;
        state.followers.insert(number, None);
        drop(state);
        Joined::Follows(Follower { flights: Arc::clone(self), flight, number: Some(number), _wait: wait })
    }

    /// Leads the run of this key, unless one is under way.
    pub(crate) fn try_lead(self: &Arc<Self>, key: Key) -> Option<Lead> {
        match self.join(key, |_| None) {
            Joined::Leads(lead) => Some(lead),
            Joined::Follows(_) | Joined::Alone => None,
        }
    }

    fn lead(self: &Arc<Self>, flight: Arc<Flight>) -> Lead {
        Lead { flights: Arc::clone(self), flight, has_ended: false }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>, BuildHasherDefault<KeyIsHash>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a flight with an answer to share, or with `None`, so that its followers begin again.
    fn end(&self, flight: &Flight, landing: Option<Arc<Landing>>) {
        let removed = self.lock().remove(&flight.key);
        let mut state = flight.lock();
        state.phase = Phase::Ended(landing);
        let followers: Vec<_> = state.followers.values_mut().filter_map(Option::take).collect();
        drop(state);
        drop(removed);
        followers.into_iter().for_each(Waker::wake);
    }

    /// Leaves a flight without a leader to its followers, or ends it if there are none.
    fn vacate(&self, flight: &Flight, mut change: impl FnMut(&mut State)) {
        let mut flights = self.lock();
        let mut state = flight.lock();
        change(&mut state);
        if !matches!(state.phase, Phase::Vacant) {
            return;
        }
        if state.followers.is_empty() {
            state.phase = Phase::Ended(None);
            let removed = flights.remove(&flight.key);
            drop(state);
            drop(flights);
            drop(removed);
            return;
        }
        // The newest has the most time left.
        let next = state.followers.values_mut().rev().find_map(Option::take);
        drop(state);
        drop(flights);
        if let Some(next) = next {
            next.wake();
        }
    }
}

impl Flight {
    fn new(key: Key) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let state = State { phase: Phase::Led, followers: BTreeMap::new(), next: 0 };
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), key, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead {
    /// Returns the id of the run.
    pub(crate) fn id(&self) -> u64 {
        self.flight.id
    }

    /// Returns the generation in which the run began.
    pub(crate) fn generation(&self) -> u64 {
        self.flight.key.1
    }

    /// Ends the run if it has no followers. Returns whether it had none.
    pub(crate) fn ends_alone(&mut self) -> bool {
        let mut flights = self.flights.lock();
        let mut state = self.flight.lock();
        if !state.followers.is_empty() {
            return false;
        }
        state.phase = Phase::Ended(None);
        let removed = flights.remove(&self.flight.key);
        drop(state);
        drop(flights);
        drop(removed);
        self.has_ended = true;
        true
    }

    /// Shares an answer.
    pub(crate) fn land(mut self, landing: Landing) {
        self.has_ended = true;
        self.flights.end(&self.flight, Some(Arc::new(landing)));
    }

    /// Makes the followers begin again.
    pub(crate) fn dissolve(mut self) {
        self.has_ended = true;
        self.flights.end(&self.flight, None);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.has_ended {
            self.flights.vacate(&self.flight, |state| state.phase = Phase::Vacant);
        }
    }
}

impl Follower {
    /// Waits for an answer, or for the place of the leader.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Followed> {
        let Some(number) = self.number else { return Poll::Ready(Followed::Again) };
        let mut state = self.flight.lock();
        // Dropping a waker may drop a task, and with it another follower.
        let _after_the_lock;
        let followed = match &state.phase {
            Phase::Led => {
                let known = state.followers.get(&number).and_then(Option::as_ref);
                if !known.is_some_and(|known| known.will_wake(cx.waker())) {
                    _after_the_lock = state.followers.insert(number, Some(cx.waker().clone()));
                }
                drop(state);
                return Poll::Pending;
            }
            Phase::Vacant => None,
            Phase::Ended(landing) => Some(landing.clone()),
        };
        let left = state.followers.remove(&number);
        if followed.is_none() {
            state.phase = Phase::Led;
        }
        drop(state);
        drop(left);
        self.number = None;
        Poll::Ready(match followed {
            None => Followed::Leads(self.flights.lead(Arc::clone(&self.flight))),
            Some(Some(landing)) => Followed::Landed(landing),
            Some(None) => Followed::Again,
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(number) = self.number.take() {
            let mut left = None;
            self.flights.vacate(&self.flight, |state| left = state.followers.remove(&number));
            drop(left);
        }
    }
}
