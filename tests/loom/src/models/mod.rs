//! The models: concurrent operations of two or three threads on one breaker.

mod arming;
mod hands;
mod probes;
mod results;

use std::cell::Cell;

use loom::sync::Arc;
use loom::thread;

use crate::machine::State::{Closed, HalfOpen, Isolated, Open};
use crate::machine::{self, Admission, Cells, Change, Limits, Recorded, Signal, State, Ticket};
use crate::sync::{self, AtomicU64};

const OPEN_MS: u64 = 100;
const LEASE_MS: u64 = 10;
/// A time after the end of every open period and lease.
const MUCH_LATER: u64 = 1_000_000;

/// A breaker with its settings.
struct Breaker {
    word: AtomicU64,
    timer: AtomicU64,
    limits: Limits,
}

impl Breaker {
    fn new(failures: u32, probes: u32, successes: u32) -> Arc<Self> {
        let limits = Limits { failures, probes, successes, open_ms: OPEN_MS };
        Arc::new(Self { word: AtomicU64::new(0), timer: AtomicU64::new(0), limits })
    }

    /// Creates a breaker that was opened at 0.
    fn opened(probes: u32, successes: u32) -> Arc<Self> {
        let breaker = Self::new(1, probes, successes);
        breaker.force(Open, 0);
        breaker
    }

    /// Creates a half-open breaker, with that many probes admitted at `OPEN_MS`.
    fn probing(probes: u32, successes: u32, running: u32) -> (Arc<Self>, Vec<Ticket>) {
        let breaker = Self::opened(probes, successes);
        let tickets = (0..running).filter_map(|_| breaker.admit(OPEN_MS).0).collect();
        (breaker, tickets)
    }

    fn cells(&self) -> Cells<'_> {
        Cells { word: &self.word, timer: &self.timer }
    }

    fn admit(&self, now: u64) -> (Option<Ticket>, Vec<Change>) {
        match machine::admit(self.cells(), self.limits, now, LEASE_MS) {
            Admission::Granted(ticket, change) => (Some(ticket), change.into_iter().collect()),
            Admission::Rejected(_, wait) => {
                assert_ne!(wait, Some(0), "a rejection without a wait should have been an admission");
                (None, Vec::new())
            }
        }
    }

    /// Returns whether the result was counted, and the transitions.
    fn record(&self, ticket: Ticket, signal: Signal, now: u64) -> (bool, Vec<Change>) {
        match machine::record(self.cells(), self.limits, ticket, signal, now) {
            Recorded::Counted(change) => (true, change.into_iter().collect()),
            Recorded::Stale => (false, Vec::new()),
        }
    }

    fn force(&self, to: State, now: u64) -> Vec<Change> {
        machine::force(self.cells(), self.limits, to, now).into_iter().collect()
    }

    /// Returns the transitions.
    fn record_if_armed(&self, ticket: Ticket, signal: Signal, now: u64) -> Vec<Change> {
        machine::record_if_armed(self.cells(), self.limits, ticket, signal, now).into_iter().collect()
    }

    fn arm(&self) -> bool {
        machine::set_armed(self.cells(), true)
    }

    fn disarm(&self) -> bool {
        machine::set_armed(self.cells(), false)
    }

    fn is_armed(&self) -> bool {
        machine::is_armed(self.cells())
    }

    fn trip(&self, generation: u64, now: u64) -> Vec<Change> {
        machine::trip(self.cells(), self.limits, generation, now).into_iter().collect()
    }

    fn state(&self) -> State {
        machine::peek(self.cells()).0
    }

    fn probes(&self) -> u32 {
        machine::peek(self.cells()).2
    }

    fn remaining(&self, now: u64) -> Option<u64> {
        machine::remaining(self.cells(), self.limits, now)
    }

    /// Asserts that the breaker admits a call in the end, unless it is isolated, whatever permits were lost.
    fn is_not_wedged(&self) {
        if self.state() != Isolated {
            assert!(self.admit(MUCH_LATER).0.is_some(), "it admits no call any more");
        }
    }
}

/// The transition of a breaker that was not armed.
fn change(from: State, to: State) -> Change {
    Change { from, to, was_armed: false }
}

/// Asserts that every transition is reported once: in some order, they lead from the first state to the last.
fn leads(from: State, reported: &[Change], to: State) {
    for state in [Closed, HalfOpen, Open, Isolated] {
        let left = reported.iter().filter(|change| change.from == state).count() + usize::from(to == state);
        let entered = reported.iter().filter(|change| change.to == state).count() + usize::from(from == state);
        assert_eq!(left, entered, "{reported:?} do not lead from {from:?} to {to:?}");
    }
}

fn spawn<T: 'static>(breaker: &Arc<Breaker>, run: impl FnOnce(&Breaker) -> T + 'static) -> thread::JoinHandle<T> {
    let breaker = Arc::clone(breaker);
    // Exchanges before the race do not fail.
    if let Some(failing) = RACE_FAILS.take() {
        sync::fail_after(Some(failing));
    }
    thread::spawn(move || run(&breaker))
}

thread_local! {
    /// The index of the weak exchange in the race that fails spuriously.
    static RACE_FAILS: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Runs both closures at the same time.
fn race<A: 'static, B: 'static>(
    breaker: &Arc<Breaker>,
    one: impl FnOnce(&Breaker) -> A + 'static,
    other: impl FnOnce(&Breaker) -> B,
) -> (A, B) {
    let one = spawn(breaker, one);
    let other = other(breaker);
    (one.join().expect("no panic"), other)
}

/// Checks a model of two threads in every order in which a thread is interrupted up to four times.
fn of_two_threads(model: impl Fn() + Copy + Sync + Send + 'static) {
    check(model, Some(4));
}

/// Checks a model of three threads, which has many more orders: here a thread is interrupted up to twice.
fn of_three_threads(model: impl Fn() + Copy + Sync + Send + 'static) {
    check(model, Some(2));
}

fn check(model: impl Fn() + Copy + Sync + Send + 'static, preemptions: Option<usize>) {
    for failing in [None, Some(0), Some(1), Some(2), Some(3)] {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = preemptions;
        builder.check(move || {
            sync::fail_after(None);
            RACE_FAILS.set(failing);
            model();
        });
    }
}
