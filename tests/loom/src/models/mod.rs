use loom::sync::Arc;
use loom::thread;

use crate::machine::State::{Closed, HalfOpen, Isolated, Open};
use crate::machine::{self, Admission, Cells, Change, Limits, Recorded, Signal, State, Ticket};
use crate::sync::{self, AtomicU64};
use std::cell::Cell;

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
            Admission::Rejected(wait) => {
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

#[test]
fn two_that_find_the_open_period_over_get_no_more_than_the_one_probe_and_tell_one_transition() {
    of_two_threads(|| {
        let breaker = Breaker::opened(1, 2);
        let (one, other) = race(&breaker, |b| b.admit(OPEN_MS), |b| b.admit(OPEN_MS));
        let granted: Vec<_> = [one.0, other.0].into_iter().flatten().collect();
        assert_eq!((granted.len(), breaker.probes()), (1, 1));
        assert_eq!([one.1, other.1].concat(), [Change { from: Open, to: HalfOpen }]);
        assert_eq!(breaker.record(granted[0], Signal::Neutral, OPEN_MS), (true, vec![]));
        assert_eq!(breaker.probes(), 0);
        breaker.is_not_wedged();
    });
}

#[test]
fn three_that_find_the_open_period_over_share_the_two_probes() {
    of_three_threads(|| {
        let breaker = Breaker::opened(2, 2);
        let one = spawn(&breaker, |b| b.admit(OPEN_MS));
        let another = spawn(&breaker, |b| b.admit(OPEN_MS));
        let third = breaker.admit(OPEN_MS);
        let all = [one.join().expect("no panic"), another.join().expect("no panic"), third];
        assert_eq!((all.iter().filter_map(|(ticket, _)| *ticket).count(), breaker.probes()), (2, 2));
        leads(Open, &all.iter().flat_map(|(_, told)| told.clone()).collect::<Vec<_>>(), HalfOpen);
        for ticket in all.iter().filter_map(|(ticket, _)| *ticket) {
            assert_eq!(breaker.record(ticket, Signal::Neutral, OPEN_MS), (true, vec![]));
        }
        assert_eq!(breaker.probes(), 0);
        breaker.is_not_wedged();
    });
}

#[test]
fn a_place_that_is_given_back_is_taken_once() {
    of_three_threads(|| {
        let (breaker, tickets) = Breaker::probing(1, 2, 1);
        let back = tickets[0];
        let one = spawn(&breaker, move |b| b.record(back, Signal::Neutral, OPEN_MS));
        let another = spawn(&breaker, |b| b.admit(OPEN_MS).0);
        let third = breaker.admit(OPEN_MS).0;
        assert_eq!(one.join().expect("no panic"), (true, vec![]));
        let granted: Vec<_> = [another.join().expect("no panic"), third].into_iter().flatten().collect();
        assert!(granted.len() <= 1, "{granted:?}");
        assert_eq!(breaker.probes() as usize, granted.len());
        for ticket in granted {
            assert_eq!(breaker.record(ticket, Signal::Neutral, OPEN_MS), (true, vec![]));
        }
        assert_eq!((breaker.state(), breaker.probes()), (HalfOpen, 0));
        breaker.is_not_wedged();
    });
}

#[test]
fn two_failures_open_it_once_and_the_other_is_stale() {
    of_two_threads(|| {
        let breaker = Breaker::new(1, 1, 2);
        let tickets = [breaker.admit(0).0.expect("closed"), breaker.admit(0).0.expect("closed")];
        let (one, other) = race(
            &breaker,
            move |b| b.record(tickets[0], Signal::Failure, 10),
            |b| b.record(tickets[1], Signal::Failure, 20),
        );
        assert!(one.0 != other.0, "one of them is counted, the other comes too late");
        assert_eq!([one.1, other.1].concat(), [Change { from: Closed, to: Open }]);
        let left = breaker.remaining(20).expect("it is open");
        assert!((OPEN_MS - 10..=OPEN_MS).contains(&left), "{left}");
        assert_eq!(breaker.admit(20).0, None);
        breaker.is_not_wedged();
    });
}

#[test]
fn no_failure_in_a_row_is_lost() {
    of_two_threads(|| {
        let breaker = Breaker::new(2, 1, 2);
        let tickets = [breaker.admit(0).0.expect("closed"), breaker.admit(0).0.expect("closed")];
        let (one, other) = race(
            &breaker,
            move |b| b.record(tickets[0], Signal::Failure, 0),
            |b| b.record(tickets[1], Signal::Failure, 0),
        );
        assert!(one.0 && other.0);
        assert_eq!([one.1, other.1].concat(), [Change { from: Closed, to: Open }]);
        assert_eq!(breaker.state(), Open);
    });
}

#[test]
fn a_window_that_trips_in_two_threads_opens_it_once() {
    of_two_threads(|| {
        let breaker = Breaker::new(1, 1, 2);
        let generation = machine::closed_generation(breaker.cells()).expect("closed");
        let ticket = breaker.admit(0).0.expect("closed");
        let (one, other) = race(&breaker, move |b| b.trip(generation, 0), |b| b.record(ticket, Signal::Failure, 0).1);
        assert_eq!([one, other].concat(), [Change { from: Closed, to: Open }]);
        assert!(breaker.trip(generation, 0).is_empty(), "the window belongs to an older generation");
        breaker.is_not_wedged();
    });
}

#[test]
fn two_good_probes_close_it_once() {
    of_two_threads(|| {
        let (breaker, tickets) = Breaker::probing(2, 2, 2);
        let first = tickets[0];
        let (one, other) = race(
            &breaker,
            move |b| b.record(first, Signal::Success, OPEN_MS),
            |b| b.record(tickets[1], Signal::Success, OPEN_MS),
        );
        assert!(one.0 && other.0);
        assert_eq!([one.1, other.1].concat(), [Change { from: HalfOpen, to: Closed }]);
        assert_eq!(machine::peek(breaker.cells()), (Closed, 0, 0));
    });
}

#[test]
fn of_a_good_and_a_bad_probe_the_first_decides_and_the_other_is_stale() {
    of_two_threads(|| {
        let (breaker, tickets) = Breaker::probing(2, 1, 2);
        let first = tickets[0];
        let (good, bad) = race(
            &breaker,
            move |b| b.record(first, Signal::Success, OPEN_MS),
            |b| b.record(tickets[1], Signal::Failure, OPEN_MS),
        );
        assert!(good.0 != bad.0);
        assert_eq!(breaker.state(), if bad.0 { Open } else { Closed });
        leads(HalfOpen, &[good.1, bad.1].concat(), breaker.state());
        breaker.is_not_wedged();
    });
}

#[test]
fn a_lost_probes_place_is_taken_once_and_no_transition_is_told() {
    of_two_threads(|| {
        let (breaker, tickets) = Breaker::probing(1, 2, 1);
        let over = OPEN_MS + LEASE_MS;
        let (one, other) = race(&breaker, move |b| b.admit(over), |b| b.admit(over));
        let granted: Vec<_> = [one.0, other.0].into_iter().flatten().collect();
        assert_eq!((granted.len(), breaker.probes()), (1, 1));
        assert_eq!([one.1, other.1].concat(), []);
        for signal in [Signal::Success, Signal::Failure, Signal::Neutral] {
            assert_eq!(breaker.record(tickets[0], signal, over), (false, vec![]), "it was given up");
        }
        assert_eq!(breaker.record(granted[0], Signal::Neutral, over), (true, vec![]));
        assert_eq!((breaker.state(), breaker.probes()), (HalfOpen, 0));
        breaker.is_not_wedged();
    });
}

#[test]
fn a_failed_probe_is_not_lost_to_the_end_of_its_lease() {
    of_two_threads(|| {
        let (breaker, tickets) = Breaker::probing(1, 2, 1);
        let over = OPEN_MS + LEASE_MS;
        let failed = tickets[0];
        let (failure, asked) = race(&breaker, move |b| b.record(failed, Signal::Failure, over), |b| b.admit(over));
        assert!(failure.0 != asked.0.is_some(), "it counts, or it was given up before");
        assert_eq!(breaker.state(), if failure.0 { Open } else { HalfOpen });
        leads(HalfOpen, &[failure.1, asked.1].concat(), breaker.state());
        if failure.0 {
            assert_eq!(breaker.admit(over).0, None, "its open period has begun");
        }
        breaker.is_not_wedged();
    });
}

#[test]
fn a_failed_probe_is_not_lost_to_one_that_is_let_through() {
    of_two_threads(|| {
        let (breaker, tickets) = Breaker::probing(2, 2, 1);
        let failed = tickets[0];
        let (failure, asked) =
            race(&breaker, move |b| b.record(failed, Signal::Failure, OPEN_MS), |b| b.admit(OPEN_MS));
        assert!(failure.0);
        assert_eq!(breaker.state(), Open);
        leads(HalfOpen, &[failure.1, asked.1].concat(), Open);
        if let Some(late) = asked.0 {
            assert_eq!(breaker.record(late, Signal::Success, OPEN_MS), (false, vec![]));
        }
        assert_eq!(breaker.probes(), 0);
        breaker.is_not_wedged();
    });
}

#[test]
fn a_failed_probe_is_not_lost_to_one_that_is_given_back() {
    of_three_threads(|| {
        let (breaker, tickets) = Breaker::probing(2, 2, 2);
        let (failed, back) = (tickets[0], tickets[1]);
        let over = OPEN_MS + LEASE_MS;
        let failure = spawn(&breaker, move |b| b.record(failed, Signal::Failure, over));
        let returned = spawn(&breaker, move |b| b.record(back, Signal::Neutral, over));
        let asked = breaker.admit(over);
        let (failure, returned) = (failure.join().expect("no panic"), returned.join().expect("no panic"));
        let granted = asked.0.is_some();
        assert_eq!(breaker.state(), if failure.0 { Open } else { HalfOpen });
        leads(HalfOpen, &[failure.1, returned.1, asked.1].concat(), breaker.state());
        assert!(failure.0 || granted, "only a new generation makes a failure stale");
        if !failure.0 {
            assert_eq!(breaker.probes(), 1);
        }
        breaker.is_not_wedged();
    });
}

#[test]
fn the_end_of_a_lease_that_meets_a_place_given_back_wedges_nothing() {
    of_two_threads(|| {
        let (breaker, tickets) = Breaker::probing(2, 2, 2);
        let over = OPEN_MS + LEASE_MS;
        let back = tickets[0];
        let (returned, asked) = race(&breaker, move |b| b.record(back, Signal::Neutral, over), |b| b.admit(over).0);
        assert!(asked.is_some());
        // One that was given back or given up, one that hangs or was given up, and the new one.
        let running = breaker.probes();
        assert_eq!(running, if returned.0 && breaker.record(tickets[1], Signal::Neutral, over).0 { 2 } else { 1 });
        while breaker.probes() < 2 {
            assert!(breaker.admit(over).0.is_some());
        }
        breaker.is_not_wedged();
    });
}

#[test]
fn the_lease_of_a_probe_that_is_let_through_last_is_its_own() {
    of_two_threads(|| {
        let (breaker, _lost) = Breaker::probing(2, 2, 1);
        let over = OPEN_MS + LEASE_MS;
        // One place is free. Whoever gets it has its whole lease, and nobody else gets one.
        let (one, other) = race(&breaker, move |b| b.admit(over).0, |b| b.admit(over).0);
        let granted: Vec<_> = [one, other].into_iter().flatten().collect();
        assert_eq!(granted.len(), 1);
        assert_eq!(breaker.record(granted[0], Signal::Neutral, over), (true, vec![]));
        breaker.is_not_wedged();
    });
}

#[test]
fn a_lease_that_starts_late_is_the_running_generations_only() {
    of_two_threads(|| {
        let (breaker, tickets) = Breaker::probing(1, 2, 1);
        let queued = tickets[0];
        let over = OPEN_MS + LEASE_MS;
        let ((), asked) =
            race(&breaker, move |b| machine::start_lease(b.cells(), queued, over, 1_000), |b| b.admit(over).0);
        let left = breaker.remaining(over).expect("a probe runs");
        match asked {
            // It was given up before its body began.
            Some(_) => assert_eq!(left, LEASE_MS),
            None => assert_eq!(left, 1_000),
        }
        breaker.is_not_wedged();
    });
}

#[test]
fn who_opens_an_open_breaker_by_hand_lets_nobody_through() {
    of_two_threads(|| {
        let breaker = Breaker::opened(1, 2);
        let (told, asked) = race(&breaker, |b| b.force(Open, 50), |b| b.admit(50));
        assert_eq!(asked, (None, vec![]), "the period is not over");
        assert_eq!((told, breaker.state()), (vec![], Open));
        assert_eq!(breaker.remaining(50), Some(OPEN_MS));
        breaker.is_not_wedged();
    });
}

#[test]
fn who_opens_by_hand_as_the_period_ends_leaves_a_chain_of_transitions() {
    of_two_threads(|| {
        let breaker = Breaker::opened(1, 2);
        let (told, asked) = race(&breaker, |b| b.force(Open, OPEN_MS), |b| b.admit(OPEN_MS));
        leads(Open, &[told, asked.1].concat(), Open);
        assert_eq!(breaker.state(), Open);
        if let Some(probe) = asked.0 {
            assert!(!breaker.record(probe, Signal::Success, OPEN_MS).0);
        }
        assert_eq!((breaker.probes(), breaker.admit(OPEN_MS).0), (0, None));
        breaker.is_not_wedged();
    });
}

#[test]
fn hands_and_results_leave_a_chain_of_transitions() {
    for to in [Closed, Open, Isolated] {
        for signal in [Signal::Success, Signal::Failure] {
            of_two_threads(move || {
                let (breaker, tickets) = Breaker::probing(1, 1, 1);
                let probe = tickets[0];
                let (told, result) =
                    race(&breaker, move |b| b.force(to, OPEN_MS), |b| b.record(probe, signal, OPEN_MS));
                assert_eq!((breaker.state(), breaker.probes()), (to, 0), "the hand has the last word");
                leads(HalfOpen, &[told, result.1].concat(), to);
                breaker.is_not_wedged();
            });
        }
    }
}

#[test]
fn two_hands_leave_a_chain_of_transitions() {
    for (one_to, other_to) in [(Isolated, Isolated), (Isolated, Closed), (Open, Open), (Open, Closed)] {
        of_two_threads(move || {
            let breaker = Breaker::new(1, 1, 2);
            let (one, other) = race(&breaker, move |b| b.force(one_to, 0), |b| b.force(other_to, 0));
            let state = breaker.state();
            assert!(state == one_to || state == other_to);
            leads(Closed, &[one, other].concat(), state);
            breaker.is_not_wedged();
        });
    }
}

#[test]
fn a_result_from_before_changes_nothing_after_it_has_recovered() {
    for signal in [Signal::Success, Signal::Failure, Signal::Neutral] {
        of_two_threads(move || {
            let breaker = Breaker::new(2, 1, 1);
            let late = breaker.admit(0).0.expect("closed");
            let (told, result) = race(
                &breaker,
                |b| {
                    let mut told = b.force(Open, 0);
                    let (probe, probing) = b.admit(OPEN_MS);
                    let (counted, recovered) =
                        b.record(probe.expect("the only one who asks"), Signal::Success, OPEN_MS);
                    assert!(counted);
                    told.extend([probing, recovered].concat());
                    told
                },
                |b| b.record(late, signal, OPEN_MS),
            );
            // At most it was counted before all that.
            assert_eq!(machine::peek(breaker.cells()), (Closed, 0, 0));
            assert_eq!((told.len(), result.1), (3, vec![]));
        });
    }
}

#[test]
fn a_result_from_before_touches_no_probe() {
    for signal in [Signal::Success, Signal::Failure, Signal::Neutral] {
        of_two_threads(move || {
            let breaker = Breaker::new(2, 1, 1);
            let late = breaker.admit(0).0.expect("closed");
            let (probe, _) = race(
                &breaker,
                |b| {
                    b.force(Open, 0);
                    b.admit(OPEN_MS).0
                },
                |b| b.record(late, signal, OPEN_MS),
            );
            assert_eq!(machine::peek(breaker.cells()), (HalfOpen, 0, 1));
            assert_eq!(breaker.admit(OPEN_MS).0, None, "no place was minted");
            let probe = probe.expect("the only one who asks");
            assert_eq!(
                breaker.record(probe, Signal::Success, OPEN_MS),
                (true, vec![Change { from: HalfOpen, to: Closed }])
            );
        });
    }
}
