//! The models: what two or three threads do to one breaker at the same time.

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
/// When everything that was ever waited for is over.
const MUCH_LATER: u64 = 1_000_000;

/// One breaker, and what it knows of its settings.
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

    /// One that was opened at 0.
    fn opened(probes: u32, successes: u32) -> Arc<Self> {
        let breaker = Self::new(1, probes, successes);
        breaker.force(Open, 0);
        breaker
    }

    /// One that is half-open, with that many probes let through at `OPEN_MS`.
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
                assert_ne!(wait, Some(0), "whoever is told to come back at once could have been let through");
                (None, Vec::new())
            }
        }
    }

    /// Whether it counted, and what it changed.
    fn record(&self, ticket: Ticket, signal: Signal, now: u64) -> (bool, Vec<Change>) {
        match machine::record(self.cells(), self.limits, ticket, signal, now) {
            Recorded::Counted(change) => (true, change.into_iter().collect()),
            Recorded::Stale => (false, Vec::new()),
        }
    }

    fn force(&self, to: State, now: u64) -> Vec<Change> {
        machine::force(self.cells(), self.limits, to, now).into_iter().collect()
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

    /// Whatever was lost on the way, a breaker that nobody isolated lets somebody through at last.
    fn is_not_wedged(&self) {
        if self.state() != Isolated {
            assert!(self.admit(MUCH_LATER).0.is_some(), "it lets nobody through any more");
        }
    }
}

/// Every transition is told once: told in some order, they lead from the first state to the last.
fn leads(from: State, told: &[Change], to: State) {
    for state in [Closed, HalfOpen, Open, Isolated] {
        let left = told.iter().filter(|change| change.from == state).count() + usize::from(to == state);
        let entered = told.iter().filter(|change| change.to == state).count() + usize::from(from == state);
        assert_eq!(left, entered, "{told:?} do not lead from {from:?} to {to:?}");
    }
}

fn spawn<T: 'static>(breaker: &Arc<Breaker>, run: impl FnOnce(&Breaker) -> T + 'static) -> thread::JoinHandle<T> {
    let breaker = Arc::clone(breaker);
    // Nothing fails before the race.
    if let Some(failing) = RACE_FAILS.take() {
        sync::fail_after(Some(failing));
    }
    thread::spawn(move || run(&breaker))
}

thread_local! {
    /// Which of the race's weak exchanges fails without a reason.
    static RACE_FAILS: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Runs both at the same time.
fn race<A: 'static, B: 'static>(
    breaker: &Arc<Breaker>,
    one: impl FnOnce(&Breaker) -> A + 'static,
    other: impl FnOnce(&Breaker) -> B,
) -> (A, B) {
    let one = spawn(breaker, one);
    let other = other(breaker);
    (one.join().expect("no panic"), other)
}

/// Tries a model of two threads in every order in which a thread is interrupted up to four times.
fn of_two_threads(model: impl Fn() + Copy + Sync + Send + 'static) {
    check(model, Some(4));
}

/// Three threads have many more orders: here a thread is interrupted up to twice.
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
