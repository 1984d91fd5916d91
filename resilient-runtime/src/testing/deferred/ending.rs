//! How entries end, and what is kept of them.

use std::time::Duration;

use super::{Clients, accept, at, caller, claim, claim_one, failure, get, kill, write};
use crate::deferred::{
    Cancellation, DEAD_LETTERS_KEPT, DeferredSettings, MOST_RESULT_BYTES, NewEntry, NextTry, OnExhausted, Receipt,
    State, Timestamp, Viewer,
};

pub(super) async fn results_are_kept(Clients { first, second }: &Clients) {
    let texts = ["1".to_owned(), "x".repeat(MOST_RESULT_BYTES), "x".repeat(MOST_RESULT_BYTES + 1), "\u{0}é".to_owned()];
    for (number, result) in (0..).zip(texts) {
        accept(&**first, write(number, &number.to_string())).await;
        let entry = claim_one(&**first, at(0)).await;
        let done = first.complete(entry.token(), Some(result.clone()), at(3)).await.expect("the store works");
        let done = done.expect("the latest token");
        assert_eq!((done.state, done.ended, done.tries_left()), (State::Done, Some(at(3)), 0));
        let kept = get(&**second, Receipt::from_bits(number)).await;
        assert_eq!(kept.summary, done);
        assert_eq!(kept.result.is_some(), result.len() <= MOST_RESULT_BYTES, "{}", result.len());
        assert!(kept.result.is_none_or(|kept| kept == result));
        assert_eq!((kept.arguments.as_str(), kept.principal.as_str()), ("", ""), "erased at the end");
        let seen = first.get(Receipt::from_bits(number), &caller()).await.expect("the store works");
        assert!(seen.is_some(), "its caller still sees it");
    }
}

pub(super) async fn used_up_tries_end_an_entry(Clients { first, second }: &Clients) {
    for (number, on_exhausted, state) in [
        (0, OnExhausted::DeadLetter, State::Dead),
        (1, OnExhausted::Notify, State::Dead),
        (2, OnExhausted::Discard, State::Discarded),
    ] {
        let policy = DeferredSettings::new().tries(2).on_exhausted(on_exhausted);
        let new = NewEntry { policy, ..write(number, &number.to_string()) };
        accept(&**first, new.clone()).await;
        for (round, state) in [(0, State::Waiting), (1, state)] {
            let entry = claim_one(&**second, at(round)).await;
            let failed = second.fail(entry.token(), failure("connection", NextTry::At(at(round + 1))), at(round)).await;
            let failed = failed.expect("the store works").expect("the latest token");
            assert_eq!((failed.state, failed.ended.is_some()), (state, !state.is_live()));
        }
        let entry = get(&**first, new.receipt).await;
        assert_eq!(entry.result.as_deref(), Some(r#"{"error":"connection"}"#), "the last failure");
        let keeps = state == State::Dead;
        assert_eq!(entry.arguments, if keeps { new.arguments.as_str() } else { "" });
        let found = first.find(&new.scope, &new.arguments, at(9)).await.expect("the store works");
        assert_eq!(found.is_some(), keeps, "a write that was given up can be sent again");
    }
    // So does a final failure, and a next try after the time to live.
    accept(&**first, write(3, "3")).await;
    kill(&**first, at(0)).await;
    accept(&**first, write(4, "4")).await;
    let entry = claim_one(&**second, at(0)).await;
    let after = NextTry::At(entry.summary.expires);
    let failed = second.fail(entry.token(), failure("timeout", after), at(0)).await.expect("the store works");
    assert_eq!(failed.expect("the latest token").state, State::Dead);
    // An entry that waits until the end of its time to live has a code too.
    let policy = DeferredSettings::new().ttl(Duration::from_secs(60));
    accept(&**first, NewEntry { policy, ..write(5, "5") }).await;
    let entry = claim_one(&**second, at(0)).await;
    second.postpone(entry.token(), at(60), at(0)).await.expect("the store works").expect("the latest token");
    // Once, its time is extended by the cap, because it was never tried.
    let entry = claim_one(&**second, at(60)).await;
    let end = at(60).after(policy.cap);
    assert_eq!(entry.summary.expires, end);
    second.postpone(entry.token(), end, at(60)).await.expect("the store works").expect("the latest token");
    let claims = claim(&**second, 1, end).await;
    assert!(claims.entries.is_empty(), "its time is over");
    assert_eq!(claims.ended.len(), 1);
    assert_eq!((claims.ended[0].state, claims.ended[0].last_code.as_deref()), (State::Dead, Some("expired")));
}

pub(super) async fn a_cancelled_try_ends_with_its_result(Clients { first, second }: &Clients) {
    let stranger = Viewer::Caller { server: "server".into(), principal: "stranger".into() };
    let cancel = async |number: u128, viewer: &Viewer| {
        second.cancel(Receipt::from_bits(number), viewer, at(5)).await.expect("the store works")
    };
    accept(&**first, write(1, "1")).await;
    assert_eq!(cancel(1, &stranger).await, None, "callers cancel their own entries only");
    assert_eq!(cancel(99, &caller()).await, None);
    assert_eq!(cancel(1, &caller()).await, Some(Cancellation::Cancelled));
    assert_eq!(cancel(1, &caller()).await, Some(Cancellation::Ended(State::Cancelled)));
    assert!(claim(&**first, 1, at(9)).await.entries.is_empty());
    // During a try: after it, unless it succeeds.
    for (number, state) in [(2, State::Cancelled), (3, State::Cancelled), (4, State::Done), (5, State::Cancelled)] {
        accept(&**first, write(number, &number.to_string())).await;
        let token = claim_one(&**first, at(4)).await.token();
        assert_eq!(cancel(number, &Viewer::Operator).await, Some(Cancellation::AfterTry));
        assert!(get(&**first, token.receipt).await.summary.cancel_requested);
        let ended = match number {
            2 => first.fail(token, failure("timeout", NextTry::At(at(9))), at(6)).await,
            3 => first.fail(token, failure("timeout", NextTry::Never), at(6)).await,
            4 => first.complete(token, None, at(6)).await,
            _ => first.postpone(token, at(9), at(6)).await,
        };
        assert_eq!(ended.expect("the store works").expect("the latest token").state, state, "{number}");
    }
    // A process that dies during such a try leaves nothing to try again.
    accept(&**first, write(6, "6")).await;
    claim_one(&**first, at(4)).await;
    cancel(6, &caller()).await;
    let claims = claim(&**second, 1, at(30)).await;
    assert!(claims.entries.is_empty(), "{claims:?}");
    assert_eq!(claims.ended.iter().map(|it| it.state).collect::<Vec<_>>(), [State::Cancelled]);
}

pub(super) async fn nothing_is_kept_for_ever(Clients { first, second }: &Clients) {
    let sweep = async |now: Timestamp| second.sweep("server", now).await.expect("the store works").removed;
    accept(&**first, write(1, "done")).await;
    let entry = claim_one(&**first, at(0)).await;
    first.complete(entry.token(), None, at(0)).await.expect("the store works").expect("the latest token");
    accept(&**first, write(2, "dead")).await;
    let dead = kill(&**first, at(0)).await;
    accept(&**first, write(3, "cancelled")).await;
    first.cancel(Receipt::from_bits(3), &caller(), at(0)).await.expect("the store works");
    let day = 24 * 60 * 60;
    assert_eq!(sweep(at(day - 1)).await, 0);
    assert_eq!(sweep(at(day)).await, 2, "what was delivered or cancelled is kept until its time to live is over");
    assert_eq!(sweep(at(DEAD_LETTERS_KEPT.as_secs() - 1)).await, 0);
    assert_eq!(get(&**first, dead).await.summary.state, State::Dead);
    let over = at(DEAD_LETTERS_KEPT.as_secs());
    let elsewhere = second.sweep("elsewhere", over).await.expect("the store works").removed;
    assert_eq!(elsewhere, 0, "a server only removes its own entries");
    assert_eq!(get(&**first, dead).await.summary.state, State::Dead);
    assert_eq!(sweep(over).await, 1);
    assert_eq!(first.get(dead, &Viewer::Operator).await.expect("the store works"), None);
    // A caller who polls learns an end just before the end of the time to live.
    let late = NewEntry { policy: DeferredSettings::new().ttl(Duration::from_secs(10)), ..write(4, "late") };
    accept(&**first, late).await;
    let entry = claim_one(&**first, at(9)).await;
    first.complete(entry.token(), None, at(12)).await.expect("the store works").expect("the latest token");
    assert_eq!(sweep(at(60)).await, 0);
    assert_eq!(sweep(at(12 + 5 * 60)).await, 1);
}
