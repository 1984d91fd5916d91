//! Probes: how many are admitted, how their places and leases are returned, and the effect of their results.

use super::{Breaker, LEASE_MS, OPEN_MS, change, leads, of_three_threads, of_two_threads, race, spawn};
use crate::machine::State::{Closed, HalfOpen, Open};
use crate::machine::{self, Signal};

#[test]
fn two_calls_after_the_open_period_get_no_more_than_the_one_probe_and_report_one_transition() {
    of_two_threads(|| {
        let breaker = Breaker::opened(1, 2);
        let (one, other) = race(&breaker, |b| b.admit(OPEN_MS), |b| b.admit(OPEN_MS));
        let granted: Vec<_> = [one.0, other.0].into_iter().flatten().collect();
        assert_eq!((granted.len(), breaker.probes()), (1, 1));
        assert_eq!([one.1, other.1].concat(), [change(Open, HalfOpen)]);
        assert_eq!(breaker.record(granted[0], Signal::Neutral, OPEN_MS), (true, vec![]));
        assert_eq!(breaker.probes(), 0);
        breaker.is_not_wedged();
    });
}

#[test]
fn three_calls_after_the_open_period_share_the_two_probes() {
    of_three_threads(|| {
        let breaker = Breaker::opened(2, 2);
        let one = spawn(&breaker, |b| b.admit(OPEN_MS));
        let another = spawn(&breaker, |b| b.admit(OPEN_MS));
        let third = breaker.admit(OPEN_MS);
        let all = [one.join().expect("no panic"), another.join().expect("no panic"), third];
        assert_eq!((all.iter().filter_map(|(ticket, _)| *ticket).count(), breaker.probes()), (2, 2));
        leads(Open, &all.iter().flat_map(|(_, reported)| reported.clone()).collect::<Vec<_>>(), HalfOpen);
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
        assert_eq!([one.1, other.1].concat(), [change(HalfOpen, Closed)]);
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
fn a_lost_probes_place_is_taken_once_and_no_transition_is_reported() {
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
        let (failure, admitted) = race(&breaker, move |b| b.record(failed, Signal::Failure, over), |b| b.admit(over));
        assert!(failure.0 != admitted.0.is_some(), "it counts, or it was given up before");
        assert_eq!(breaker.state(), if failure.0 { Open } else { HalfOpen });
        leads(HalfOpen, &[failure.1, admitted.1].concat(), breaker.state());
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
        let (failure, admitted) =
            race(&breaker, move |b| b.record(failed, Signal::Failure, OPEN_MS), |b| b.admit(OPEN_MS));
        assert!(failure.0);
        assert_eq!(breaker.state(), Open);
        leads(HalfOpen, &[failure.1, admitted.1].concat(), Open);
        if let Some(late) = admitted.0 {
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
        let admitted = breaker.admit(over);
        let (failure, returned) = (failure.join().expect("no panic"), returned.join().expect("no panic"));
        let granted = admitted.0.is_some();
        assert_eq!(breaker.state(), if failure.0 { Open } else { HalfOpen });
        leads(HalfOpen, &[failure.1, returned.1, admitted.1].concat(), breaker.state());
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
        let (returned, admitted) = race(&breaker, move |b| b.record(back, Signal::Neutral, over), |b| b.admit(over).0);
        assert!(admitted.is_some());
        // One probe was returned or expired, one hangs or expired, and one is new.
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
        // One place is free. The probe that gets it has its whole lease, and no other probe gets one.
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
        let ((), admitted) =
            race(&breaker, move |b| machine::start_lease(b.cells(), queued, over, 1_000), |b| b.admit(over).0);
        let left = breaker.remaining(over).expect("a probe runs");
        match admitted {
            // The probe expired before its body started.
            Some(_) => assert_eq!(left, LEASE_MS),
            None => assert_eq!(left, 1_000),
        }
        breaker.is_not_wedged();
    });
}
