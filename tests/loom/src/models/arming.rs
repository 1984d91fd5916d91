//! A breaker that is armed because that of another replica has opened, concurrently with results and hands.

use super::{Breaker, OPEN_MS, change, of_two_threads, race};
use crate::machine::State::{Closed, HalfOpen, Isolated, Open};
use crate::machine::{self, Change, Signal};

const BY_PEER: Change = Change { from: Closed, to: Open, was_armed: true };

#[test]
fn two_threads_arm_it_once() {
    of_two_threads(|| {
        let breaker = Breaker::new(3, 1, 2);
        let (one, other) = race(&breaker, Breaker::arm, Breaker::arm);
        assert!(one != other);
        assert!(breaker.is_armed());
        assert_eq!(machine::peek(breaker.cells()), (Closed, 0, 0), "it has counted no failures");
        breaker.is_not_wedged();
    });
}

#[test]
fn of_a_success_and_a_failure_of_an_armed_breaker_the_first_decides() {
    of_two_threads(|| {
        let breaker = Breaker::new(3, 1, 2);
        breaker.arm();
        let tickets = [breaker.admit(0).0.expect("closed"), breaker.admit(0).0.expect("closed")];
        let (good, bad) = race(
            &breaker,
            move |b| b.record(tickets[0], Signal::Success, 0),
            |b| b.record(tickets[1], Signal::Failure, 0),
        );
        assert!(bad.0 && good.1.is_empty());
        if good.0 {
            assert_eq!((machine::peek(breaker.cells()), bad.1), ((Closed, 1, 0), vec![]), "it was disarmed");
        } else {
            assert_eq!((breaker.state(), bad.1), (Open, vec![BY_PEER]));
        }
        assert!(!breaker.is_armed());
        breaker.is_not_wedged();
    });
}

#[test]
fn two_failures_of_an_armed_breaker_open_it_once() {
    for failures in [1, 2, 1023] {
        of_two_threads(move || {
            let breaker = Breaker::new(failures, 1, 2);
            breaker.arm();
            let tickets = [breaker.admit(0).0.expect("closed"), breaker.admit(0).0.expect("closed")];
            let (one, other) = race(
                &breaker,
                move |b| b.record(tickets[0], Signal::Failure, 0),
                |b| b.record(tickets[1], Signal::Failure, 0),
            );
            assert!(one.0 != other.0, "the other comes too late");
            assert_eq!([one.1, other.1].concat(), [BY_PEER]);
            assert_eq!(breaker.remaining(0), Some(OPEN_MS));
            breaker.is_not_wedged();
        });
    }
}

#[test]
fn arming_loses_no_failure_and_no_failure_loses_the_arming() {
    of_two_threads(|| {
        let breaker = Breaker::new(2, 1, 2);
        let ticket = breaker.admit(0).0.expect("closed");
        let (armed, failure) = race(&breaker, Breaker::arm, |b| b.record(ticket, Signal::Failure, 0));
        assert!(armed && failure.0);
        if failure.1.is_empty() {
            assert!(breaker.is_armed(), "the failure was the first");
            let next = breaker.admit(0).0.expect("closed");
            assert_eq!(breaker.record(next, Signal::Failure, 0).1, [BY_PEER]);
        } else {
            assert_eq!(failure.1, [BY_PEER]);
        }
        assert_eq!(breaker.state(), Open);
    });
}

#[test]
fn the_last_failure_opens_it_whether_it_is_armed_or_not() {
    of_two_threads(|| {
        let breaker = Breaker::new(1, 1, 2);
        let ticket = breaker.admit(0).0.expect("closed");
        let (armed, failure) = race(&breaker, Breaker::arm, |b| b.record(ticket, Signal::Failure, 0));
        assert_eq!(failure, (true, vec![Change { was_armed: armed, ..BY_PEER }]));
        assert_eq!(machine::peek(breaker.cells()), (Open, 0, 0));
    });
}

#[test]
fn a_neutral_result_neither_disarms_nor_opens() {
    of_two_threads(|| {
        let breaker = Breaker::new(2, 1, 2);
        let ticket = breaker.admit(0).0.expect("closed");
        let (armed, result) = race(&breaker, Breaker::arm, |b| b.record(ticket, Signal::Neutral, 0));
        assert_eq!((armed, result), (true, (true, vec![])));
        assert!(breaker.record_if_armed(ticket, Signal::Neutral, 0).is_empty());
        assert!(breaker.is_armed());
    });
}

#[test]
fn a_window_and_the_next_failure_open_an_armed_breaker_once() {
    of_two_threads(|| {
        let breaker = Breaker::new(1, 1, 2);
        breaker.arm();
        let generation = machine::closed_generation(breaker.cells()).expect("closed");
        let ticket = breaker.admit(0).0.expect("closed");
        let (one, other) =
            race(&breaker, move |b| b.trip(generation, 0), |b| b.record_if_armed(ticket, Signal::Failure, 0));
        assert_eq!([one, other].concat(), [BY_PEER]);
        breaker.is_not_wedged();
    });
}

#[test]
fn where_a_window_decides_a_failure_is_not_counted_after_a_success_has_disarmed_it() {
    of_two_threads(|| {
        let breaker = Breaker::new(1, 1, 2);
        breaker.arm();
        let ticket = breaker.admit(0).0.expect("closed");
        let (good, bad) = race(
            &breaker,
            move |b| b.record_if_armed(ticket, Signal::Success, 0),
            move |b| b.record_if_armed(ticket, Signal::Failure, 0),
        );
        assert!(good.is_empty());
        assert!(!breaker.is_armed());
        let state = if bad.is_empty() { Closed } else { Open };
        assert_eq!(machine::peek(breaker.cells()), (state, 0, 0));
        assert!(bad.is_empty() || bad == [BY_PEER]);
    });
}

#[test]
fn no_hand_leaves_it_armed_unless_it_was_armed_afterwards() {
    for to in [Open, Isolated] {
        of_two_threads(move || {
            let breaker = Breaker::new(2, 1, 2);
            let (_, armed) = race(&breaker, move |b| b.force(to, 0), Breaker::arm);
            assert_eq!(machine::peek(breaker.cells()), (to, 0, 0), "armed: {armed}");
            assert!(!breaker.is_armed() && !breaker.arm());
            breaker.force(Closed, 0);
            assert!(!breaker.is_armed());
        });
    }
    of_two_threads(|| {
        let breaker = Breaker::new(2, 1, 2);
        breaker.arm();
        let (reported, armed) = race(&breaker, |b| b.force(Closed, 0), Breaker::arm);
        assert_eq!((reported, breaker.is_armed()), (vec![], armed));
        breaker.force(Closed, 0);
        assert!(!breaker.is_armed());
    });
}

#[test]
fn the_end_of_the_news_disarms_it_unless_a_failure_was_first() {
    of_two_threads(|| {
        let breaker = Breaker::new(2, 1, 2);
        breaker.arm();
        let ticket = breaker.admit(0).0.expect("closed");
        let (disarmed, failure) = race(&breaker, Breaker::disarm, |b| b.record(ticket, Signal::Failure, 0));
        assert!(failure.0 && !breaker.is_armed());
        if disarmed {
            assert_eq!((machine::peek(breaker.cells()), failure.1), ((Closed, 1, 0), vec![]));
        } else {
            assert_eq!((breaker.state(), failure.1), (Open, vec![BY_PEER]));
        }
        breaker.is_not_wedged();
    });
}

#[test]
fn the_end_of_the_news_loses_no_failure_of_a_breaker_that_a_success_has_disarmed() {
    of_two_threads(|| {
        let breaker = Breaker::new(3, 1, 2);
        breaker.arm();
        let tickets = [breaker.admit(0).0.expect("closed"), breaker.admit(0).0.expect("closed")];
        let (_, failure) = race(&breaker, Breaker::disarm, move |b| {
            b.record(tickets[0], Signal::Success, 0);
            b.record(tickets[1], Signal::Failure, 0)
        });
        assert_eq!((failure, machine::peek(breaker.cells())), ((true, vec![]), (Closed, 1, 0)));
    });
}

#[test]
fn a_failure_from_before_does_not_open_an_armed_breaker() {
    of_two_threads(|| {
        let breaker = Breaker::new(2, 1, 1);
        let late = breaker.admit(0).0.expect("closed");
        let (armed, result) = race(
            &breaker,
            |b| {
                b.force(Open, 0);
                let probe = b.admit(OPEN_MS).0.expect("the only call");
                assert_eq!(b.record(probe, Signal::Success, OPEN_MS).1, [change(HalfOpen, Closed)]);
                b.arm()
            },
            |b| [b.record(late, Signal::Failure, OPEN_MS).1, b.record_if_armed(late, Signal::Failure, OPEN_MS)],
        );
        assert_eq!((armed, result), (true, [vec![], vec![]]));
        assert!(breaker.is_armed());
    });
}
