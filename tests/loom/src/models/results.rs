//! Results of a closed breaker: those that open it, and those that arrive too late.

use super::{Breaker, OPEN_MS, change, of_two_threads, race};
use crate::machine::State::{Closed, HalfOpen, Open};
use crate::machine::{self, Signal};

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
        assert_eq!([one.1, other.1].concat(), [change(Closed, Open)]);
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
        assert_eq!([one.1, other.1].concat(), [change(Closed, Open)]);
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
        assert_eq!([one, other].concat(), [change(Closed, Open)]);
        assert!(breaker.trip(generation, 0).is_empty(), "the window belongs to an older generation");
        breaker.is_not_wedged();
    });
}

#[test]
fn a_result_from_before_changes_nothing_after_it_has_recovered() {
    for signal in [Signal::Success, Signal::Failure, Signal::Neutral] {
        of_two_threads(move || {
            let breaker = Breaker::new(2, 1, 1);
            let late = breaker.admit(0).0.expect("closed");
            let (reported, result) = race(
                &breaker,
                |b| {
                    let mut reported = b.force(Open, 0);
                    let (probe, probing) = b.admit(OPEN_MS);
                    let (counted, recovered) = b.record(probe.expect("the only call"), Signal::Success, OPEN_MS);
                    assert!(counted);
                    reported.extend([probing, recovered].concat());
                    reported
                },
                |b| b.record(late, signal, OPEN_MS),
            );
            // At most, the result was counted before all that.
            assert_eq!(machine::peek(breaker.cells()), (Closed, 0, 0));
            assert_eq!((reported.len(), result.1), (3, vec![]));
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
            let probe = probe.expect("the only call");
            assert_eq!(breaker.record(probe, Signal::Success, OPEN_MS), (true, vec![change(HalfOpen, Closed)]));
        });
    }
}
