//! What a start does to times that another clock wrote.

use std::time::Duration;

use super::{Clients, accept, at, claim, claim_one, failure, get, write};
use crate::deferred::{DeferredSettings, Entry, NewEntry, NextTry, Receipt, State};

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
pub(super) async fn what_seems_over_gets_one_more_try(Clients { first, second }: &Clients) {
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
    // A postponed try is still to come, a failed one was the last.
    let postponed = second.postpone(one, after(60), now).await.expect("the store works").expect("the latest token");
    assert_eq!(postponed.state, State::Waiting);
    let failed = second.fail(two, failure("timeout", NextTry::At(after(60))), now).await.expect("the store works");
    assert_eq!(failed.expect("the latest token").state, State::Dead);
    let done = second.complete(three, None, now).await.expect("the store works").expect("the latest token");
    assert_eq!(done.state, State::Done);
    let one = claim_one(&**second, after(60)).await;
    assert_eq!(one.summary.receipt, Receipt::from_bits(1));
    // Without any try, it waits for the length of the cap.
    second.postpone(one.token(), after(CAP + 60), after(60)).await.expect("the store works");
    let swept = second.sweep("server", after(CAP)).await.expect("the store works");
    assert!(swept.ended.iter().any(|it| it.receipt == Receipt::from_bits(1)), "{swept:?}");
}

/// The clock of the process that accepted the entries is far behind, and that process still runs.
pub(super) async fn what_was_never_claimed_does_not_end_by_time_alone(Clients { first, second }: &Clients) {
    let now = at(2 * DAY);
    let policy = DeferredSettings::new().tries(5);
    for number in 0..3 {
        accept(&**first, NewEntry { policy, due: at(60), ..write(number, &number.to_string()) }).await;
    }
    let swept = second.sweep("server", now).await.expect("the store works");
    assert!(swept.ended.is_empty(), "{swept:?}");
    // It is tried once more, without a sweep before as well.
    accept(&**first, NewEntry { policy, ..write(3, "3") }).await;
    let claims = claim(&**second, 2, now).await;
    assert_eq!((claims.entries.len(), claims.ended.len()), (2, 0), "{claims:?}");
    for (entry, next) in claims.entries.iter().zip([None, Some(NextTry::At(now.after(Duration::from_secs(60))))]) {
        let ended = match next {
            None => second.complete(entry.token(), None, now).await,
            Some(next) => second.fail(entry.token(), failure("timeout", next), now).await,
        };
        let expected = if next.is_none() { State::Done } else { State::Dead };
        assert_eq!(ended.expect("the store works").expect("the latest token").state, expected);
    }
    // Without any try, it waits for the length of the cap.
    let late = now.after(Duration::from_secs(CAP));
    let swept = second.sweep("server", late).await.expect("the store works");
    assert_eq!(swept.ended.iter().map(|it| it.state).collect::<Vec<_>>(), [State::Dead; 2], "{swept:?}");
}
