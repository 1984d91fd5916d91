//! What a start does to times that another clock wrote.

use std::time::Duration;

use super::{Clients, accept, at, claim, claim_one, failure, get, write};
use crate::deferred::{DeferredSettings, DeferredStore, Entry, NewEntry, NextTry, Receipt, State};

const DAY: u64 = 24 * 60 * 60;
const CAP: u64 = 30 * 60;

/// The clock that accepted the entries was a day ahead.
pub(super) async fn a_start_adapts_times_to_its_clock(Clients { first, second }: &Clients) {
    for number in 0..3 {
        accept(&**first, NewEntry { now: at(DAY), due: at(DAY), ..write(number, &number.to_string()) }).await;
    }
    claim_one(&**first, at(DAY)).await;
    accept(&**first, NewEntry { due: at(60), ..write(9, "soon") }).await;
    assert_eq!(second.recover("elsewhere", at(0)).await.expect("the store works"), 0);
    assert_eq!(second.recover("server", at(0)).await.expect("the store works"), 3);
    assert_eq!(second.recover("server", at(0)).await.expect("the store works"), 0, "once is enough");
    let due = async |number: u128| get(&**first, Receipt::from_bits(number)).await.summary.due;
    assert_eq!(due(0).await, at(20), "a lease ends no later than its length from now");
    assert_eq!(due(1).await, at(CAP), "a try begins no later than the cap from now");
    assert_eq!(due(9).await, at(60));
    let entry = get(&**first, Receipt::from_bits(1)).await;
    assert_eq!(entry.summary.expires, at(DAY), "the time to live counts from now at most");
    assert_eq!(claim(&**first, 9, at(CAP)).await.entries.len(), 4, "none is lost");
}

/// The clock that accepted the entries was two days behind, or the server was stopped for two days.
pub(super) async fn what_seems_over_is_tried_until_the_cap(Clients { first, second }: &Clients) {
    let now = at(2 * DAY);
    let after = |seconds| now.after(Duration::from_secs(seconds));
    for number in 0..4 {
        let policy = DeferredSettings::new().tries(5);
        accept(&**first, NewEntry { policy, ..write(number, &number.to_string()) }).await;
    }
    let running = claim_one(&**first, at(0)).await;
    assert_eq!(second.recover("server", now).await.expect("the store works"), 4);
    let swept = second.sweep("server", now).await.expect("the store works");
    assert!(swept.ended.is_empty(), "{swept:?}");
    // The try during the restart was interrupted; the entry is tried again.
    let entries = claim(&**second, 9, now).await.entries;
    assert_eq!(entries.len(), 4);
    let again = entries.iter().find(|it| it.summary.receipt == running.summary.receipt).expect("it is due");
    assert_eq!((again.summary.tries_used, again.summary.interrupted), (2, 1));
    second.complete(again.token(), None, now).await.expect("the store works").expect("the latest token");
    let [one, two, three] = [1, 2, 3].map(|number| {
        let mut tokens = entries.iter().map(Entry::token);
        tokens.find(|token| token.receipt == Receipt::from_bits(number)).expect("it is due")
    });
    // Tries that are left are made until the cap from now.
    let postponed = second.postpone(one, after(60), now).await.expect("the store works").expect("the latest token");
    assert_eq!(postponed.state, State::Waiting);
    let failed = second.fail(two, failure("timeout", NextTry::At(after(60))), now).await.expect("the store works");
    assert_eq!(failed.expect("the latest token").state, State::Waiting);
    let done = second.complete(three, None, now).await.expect("the store works").expect("the latest token");
    assert_eq!(done.state, State::Done);
    let entries = claim(&**second, 9, after(60)).await.entries;
    assert_eq!(entries.len(), 2, "{entries:?}");
    let one = entries.iter().find(|it| it.summary.receipt == Receipt::from_bits(1)).expect("it is due");
    // Without any try, it waits for the length of the cap.
    second.postpone(one.token(), after(CAP + 60), after(60)).await.expect("the store works");
    let swept = second.sweep("server", after(CAP)).await.expect("the store works");
    assert!(swept.ended.iter().any(|it| it.receipt == Receipt::from_bits(1)), "{swept:?}");
}

/// The clock of the process that accepted the entries is far behind, and that process still runs.
pub(super) async fn what_was_never_tried_does_not_end_by_time_alone(Clients { first, second }: &Clients) {
    let now = at(2 * DAY);
    let policy = DeferredSettings::new().tries(5);
    for number in 0..3 {
        accept(&**first, NewEntry { policy, due: at(60), ..write(number, &number.to_string()) }).await;
    }
    let swept = second.sweep("server", now).await.expect("the store works");
    assert!(swept.ended.is_empty(), "{swept:?}");
    // It is tried, without a sweep before as well, and until the cap again.
    accept(&**first, NewEntry { policy, ..write(3, "3") }).await;
    let claims = claim(&**second, 2, now).await;
    assert_eq!((claims.entries.len(), claims.ended.len()), (2, 0), "{claims:?}");
    for (entry, next) in claims.entries.iter().zip([None, Some(NextTry::At(now.after(Duration::from_secs(60))))]) {
        let ended = match next {
            None => second.complete(entry.token(), None, now).await,
            Some(next) => second.fail(entry.token(), failure("timeout", next), now).await,
        };
        let expected = if next.is_none() { State::Done } else { State::Waiting };
        assert_eq!(ended.expect("the store works").expect("the latest token").state, expected);
    }
    // A claim that is given back is no try.
    let refused = claim_one(&**second, now).await;
    second.postpone(refused.token(), now.after(Duration::from_secs(CAP + 60)), now).await.expect("the store works");
    // Without any try, it waits for the length of the cap.
    let late = now.after(Duration::from_secs(CAP));
    let swept = second.sweep("server", late).await.expect("the store works");
    assert_eq!(swept.ended.iter().map(|it| it.state).collect::<Vec<_>>(), [State::Dead; 3], "{swept:?}");
}

/// The clock of the system was set between the starts of two processes.
pub(super) async fn the_first_process_of_a_run_sets_the_start_of_the_machine(Clients { first, second }: &Clients) {
    let started = async |store: &dyn DeferredStore, run: &str, estimate: u64| {
        store.start_of_machine(run, at(estimate)).await.expect("the store works")
    };
    assert_eq!(started(&**first, "run", 5).await, at(5));
    assert_eq!(started(&**second, "run", DAY).await, at(5));
    assert_eq!(started(&**second, "another run", DAY).await, at(DAY));
    assert_eq!(started(&**first, "run", 7).await, at(5));
    // Those of old runs are not kept for ever, and the present one is.
    for run in 0..100 {
        started(&**first, &format!("later run {run}"), run).await;
    }
    assert_eq!(started(&**second, "later run 99", 7).await, at(99));
}
