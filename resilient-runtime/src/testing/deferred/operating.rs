//! What operators see and do.

use super::{Clients, accept, at, claim_one, failure, get, kill, write};
use crate::deferred::{Counts, Filter, NewEntry, NextTry, Receipt, Retried, State, Timestamp};

pub(super) async fn dead_letters_can_be_retried_and_discarded(Clients { first, second }: &Clients) {
    let retry = async |number: u128, now: Timestamp| {
        second.retry(Receipt::from_bits(number), now).await.expect("the store works")
    };
    let discard =
        async |number: u128| second.discard(Receipt::from_bits(number), at(9)).await.expect("the store works");
    accept(&**first, write(1, "a")).await;
    assert_eq!(retry(1, at(0)).await, Retried::NotDead);
    assert!(!discard(1).await, "it waits");
    kill(&**first, at(0)).await;
    assert_eq!(retry(1, at(5)).await, Retried::Waits);
    let entry = get(&**first, Receipt::from_bits(1)).await;
    assert_eq!((entry.summary.state, entry.summary.due, entry.summary.tries_used), (State::Waiting, at(5), 0));
    assert_eq!((entry.summary.expires, entry.summary.ended), (at(5 + 24 * 60 * 60), None));
    kill(&**first, at(5)).await;
    assert!(discard(1).await);
    assert!(!discard(1).await, "it is discarded");
    let entry = get(&**first, Receipt::from_bits(1)).await;
    assert_eq!((entry.summary.state, entry.arguments.as_str()), (State::Discarded, ""));
    assert_eq!(retry(1, at(9)).await, Retried::NotDead);
    assert_eq!(retry(99, at(9)).await, Retried::NotDead);
    // Its key can belong to a later write.
    let dead = write(2, "b");
    accept(&**first, dead.clone()).await;
    kill(&**first, at(0)).await;
    let later = at(24 * 60 * 60);
    accept(&**first, NewEntry { receipt: Receipt::from_bits(3), now: later, due: later, ..dead.clone() }).await;
    assert_eq!(retry(2, later).await, Retried::KeyTaken(Receipt::from_bits(3)));
    first.withdraw(Receipt::from_bits(3)).await.expect("the store works");
    assert_eq!(retry(2, later).await, Retried::Waits);
    let found = first.find(&dead.scope, &dead.arguments, later).await.expect("the store works");
    assert_eq!(found.expect("it holds its key again").entry.summary.receipt, dead.receipt);
}

pub(super) async fn lists_have_pages(Clients { first, second }: &Clients) {
    for number in 0..5 {
        accept(&**first, write(10 - number, &number.to_string())).await;
    }
    let mut elsewhere = write(20, "20");
    elsewhere.scope.server = "elsewhere".into();
    accept(&**first, elsewhere).await;
    kill(&**first, at(0)).await;
    let list = async |filter: Filter| -> Vec<u128> {
        let page = second.list(&filter).await.expect("the store works");
        page.iter().map(|it| it.receipt.bits()).collect()
    };
    let of_server = Filter { server: Some("server".into()), limit: 2, ..Filter::default() };
    assert_eq!(list(Filter::default()).await, [10, 9, 8, 7, 6, 20], "the oldest first");
    assert_eq!(list(of_server.clone()).await, [10, 9]);
    let after = |number| Some(Receipt::from_bits(number));
    assert_eq!(list(Filter { after: after(9), ..of_server.clone() }).await, [8, 7]);
    assert_eq!(list(Filter { after: after(7), ..of_server.clone() }).await, [6]);
    assert_eq!(list(Filter { after: after(6), ..of_server }).await, [0; 0]);
    assert_eq!(list(Filter { after: after(99), ..Filter::default() }).await, [0; 0]);
    assert_eq!(list(Filter { state: Some(State::Dead), ..Filter::default() }).await, [10]);
    assert_eq!(list(Filter { state: Some(State::Waiting), limit: 1, ..Filter::default() }).await, [9]);
    let listed = second.list(&Filter::default()).await.expect("the store works");
    assert_eq!(listed[1], get(&**first, Receipt::from_bits(9)).await.summary);
}

pub(super) async fn entries_are_counted(Clients { first, second }: &Clients) {
    let counts = async |server: Option<&str>| second.counts(server).await.expect("the store works");
    assert_eq!(counts(None).await, Counts::default());
    for number in 0..4 {
        let now = at(u64::try_from(number).unwrap_or_default());
        accept(&**first, NewEntry { now, due: now, ..write(number, &number.to_string()) }).await;
    }
    let mut elsewhere = NewEntry { now: at(7), ..write(20, "20") };
    elsewhere.scope.server = "elsewhere".into();
    accept(&**first, elsewhere).await;
    kill(&**first, at(3)).await;
    let entry = claim_one(&**first, at(3)).await;
    first.complete(entry.token(), None, at(3)).await.expect("the store works").expect("the latest token");
    let entry = claim_one(&**first, at(3)).await;
    first.fail(entry.token(), failure("timeout", NextTry::At(at(9))), at(3)).await.expect("the store works");
    claim_one(&**first, at(3)).await;
    let of_server = Counts { waiting: 1, running: 1, done: 1, dead: 1, oldest: Some(at(2)), ..Counts::default() };
    assert_eq!(counts(Some("server")).await, of_server);
    assert_eq!(counts(Some("elsewhere")).await, Counts { waiting: 1, oldest: Some(at(7)), ..Counts::default() });
    assert_eq!(counts(None).await, Counts { waiting: 2, ..of_server });
    assert_eq!(counts(None).await.of(State::Dead), 1);
    first.check().await.expect("the store works");
}
