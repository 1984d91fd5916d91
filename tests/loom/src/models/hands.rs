//! Opening, closing and isolating by hand, concurrently with each other and with results.

use super::{Breaker, OPEN_MS, leads, of_two_threads, race};
use crate::machine::Signal;
use crate::machine::State::{Closed, HalfOpen, Isolated, Open};

#[test]
fn opening_an_open_breaker_by_hand_admits_no_call() {
    of_two_threads(|| {
        let breaker = Breaker::opened(1, 2);
        let (reported, admitted) = race(&breaker, |b| b.force(Open, 50), |b| b.admit(50));
        assert_eq!(admitted, (None, vec![]), "the period is not over");
        assert_eq!((reported, breaker.state()), (vec![], Open));
        assert_eq!(breaker.remaining(50), Some(OPEN_MS));
        breaker.is_not_wedged();
    });
}

#[test]
fn opening_by_hand_as_the_period_ends_leaves_a_chain_of_transitions() {
    of_two_threads(|| {
        let breaker = Breaker::opened(1, 2);
        let (reported, admitted) = race(&breaker, |b| b.force(Open, OPEN_MS), |b| b.admit(OPEN_MS));
        leads(Open, &[reported, admitted.1].concat(), Open);
        assert_eq!(breaker.state(), Open);
        if let Some(probe) = admitted.0 {
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
                let (reported, result) =
                    race(&breaker, move |b| b.force(to, OPEN_MS), |b| b.record(probe, signal, OPEN_MS));
                assert_eq!((breaker.state(), breaker.probes()), (to, 0), "the hand has the last word");
                leads(HalfOpen, &[reported, result.1].concat(), to);
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
