//! Which writes a store accepts.

use super::{Clients, accept, at, caller, claim_one, get, kill, write};
use crate::deferred::{Bounds, DeferredStore, Found, NewEntry, Put, Receipt, Scope, State, StoreErrorKind, Timestamp};

async fn put(store: &dyn DeferredStore, new: NewEntry) -> Result<Receipt, Box<Found>> {
    match store.put(new).await.expect("the store works") {
        Put::Accepted(summary) => Ok(summary.receipt),
        Put::Existing(found) => Err(Box::new(found)),
    }
}

pub(super) async fn one_entry_for_each_key(Clients { first, second }: &Clients) {
    let new = write(1, "a");
    let summary = accept(&**first, new.clone()).await;
    assert_eq!((summary.state, summary.created, summary.due), (State::Waiting, at(0), at(0)));
    assert_eq!((summary.tries_used, summary.tries_left()), (0, 8));
    assert_eq!(summary.expires, at(24 * 60 * 60));
    let entry = get(&**second, new.receipt).await;
    assert_eq!(entry.summary, summary, "an accepted entry is what the store has");
    assert_eq!((&entry.arguments, &entry.principal), (&new.arguments, &new.scope.principal));
    assert_eq!(entry.correlation_id, new.correlation_id);
    assert_eq!(second.get(new.receipt, &caller()).await.expect("the store works"), Some(entry));

    let again = put(&**second, NewEntry { receipt: Receipt::from_bits(2), ..new.clone() }).await.expect_err("the key");
    assert!(again.same_arguments && again.entry.summary.receipt == new.receipt, "{again:?}");
    let other = NewEntry { receipt: Receipt::from_bits(3), arguments: "{}".into(), ..new.clone() };
    assert!(!put(&**second, other).await.expect_err("the key").same_arguments);
    let find =
        async |scope: &Scope, arguments: &str| second.find(scope, arguments, at(1)).await.expect("the store works");
    let found = find(&new.scope, &new.arguments).await.expect("the entry that holds the key");
    assert!(found.same_arguments && found.entry.summary.receipt == new.receipt, "{found:?}");
    assert!(!find(&new.scope, "{}").await.expect("the entry that holds the key").same_arguments);

    let mut scopes = [(); 4].map(|()| new.scope.clone());
    scopes[0].server = "other".into();
    scopes[1].tool = "other".into();
    scopes[2].principal = "other".into();
    scopes[3].key = "other".into();
    for (number, scope) in (10..).zip(scopes) {
        assert_eq!(find(&scope, &new.arguments).await, None, "{scope:?}");
        let receipt = Receipt::from_bits(number);
        let other = NewEntry { receipt, scope: scope.clone(), ..new.clone() };
        assert_eq!(put(&**first, other).await.expect("another scope"), receipt, "{scope:?}");
    }
    for number in [10, 12] {
        let entry = first.get(Receipt::from_bits(number), &caller()).await.expect("the store works");
        assert_eq!(entry, None, "a caller sees its own entries only");
    }
    assert_eq!(first.get(Receipt::from_bits(99), &caller()).await.expect("the store works"), None);
}

pub(super) async fn a_key_is_free_again_after_the_time_to_live(Clients { first, second }: &Clients) {
    let day = 24 * 60 * 60;
    let new = write(1, "a");
    accept(&**first, new.clone()).await;
    let entry = claim_one(&**first, at(0)).await;
    first.complete(entry.token(), Some("1".into()), at(1)).await.expect("the store works").expect("the latest token");
    let find = async |now: Timestamp| second.find(&new.scope, &new.arguments, now).await.expect("the store works");
    let found = find(at(day - 1)).await.expect("a delivered entry holds its key");
    assert!(found.same_arguments, "arguments are compared after they were erased");
    assert_eq!((found.entry.result.as_deref(), found.entry.arguments.as_str()), (Some("1"), ""));
    assert_eq!(find(at(day)).await, None, "the time to live is over");
    let later = NewEntry { receipt: Receipt::from_bits(2), now: at(day), due: at(day), ..new.clone() };
    assert_eq!(put(&**second, later).await.expect("the key is free"), Receipt::from_bits(2));
    assert_eq!(get(&**first, new.receipt).await.summary.state, State::Done, "its entry is kept until the next sweep");

    // A dead letter is kept for longer than its key.
    let dead = write(3, "b");
    accept(&**first, dead.clone()).await;
    kill(&**first, at(0)).await;
    assert!(second.find(&dead.scope, "x", at(1)).await.expect("the store works").is_some());
    let later = NewEntry { receipt: Receipt::from_bits(4), now: at(day), due: at(day), ..dead };
    accept(&**second, later).await;

    // A cancelled write can be sent again.
    let cancelled = write(5, "c");
    accept(&**first, cancelled.clone()).await;
    second.cancel(cancelled.receipt, &caller(), at(1)).await.expect("the store works").expect("the caller's entry");
    accept(&**second, NewEntry { receipt: Receipt::from_bits(6), ..cancelled }).await;
}

pub(super) async fn a_write_can_be_withdrawn_until_it_is_shared(Clients { first, second }: &Clients) {
    let withdraw = async |number: u128| first.withdraw(Receipt::from_bits(number)).await.expect("the store works");
    let new = write(1, "a");
    accept(&**first, new.clone()).await;
    second.find(&new.scope, &new.arguments, at(0)).await.expect("the store works").expect("the key");
    assert!(withdraw(1).await, "a search only reads");
    assert!(!withdraw(1).await, "it is gone");
    assert_eq!(second.find(&new.scope, &new.arguments, at(0)).await.expect("the store works"), None);
    // A receipt that a second call has stays valid.
    accept(&**first, new.clone()).await;
    put(&**second, NewEntry { receipt: Receipt::from_bits(2), ..new.clone() }).await.expect_err("the key");
    assert!(!withdraw(1).await);
    let other = write(3, "b");
    accept(&**first, other.clone()).await;
    let found = second.find(&other.scope, &other.arguments, at(0)).await.expect("the store works").expect("the key");
    assert!(found.entry.is_withdrawable());
    let shared = second.share(&other.scope, &other.arguments, at(0)).await.expect("the store works").expect("the key");
    assert!(shared.same_arguments && !shared.entry.is_withdrawable(), "{shared:?}");
    assert_eq!(second.share(&write(9, "none").scope, "", at(0)).await.expect("the store works"), None);
    assert!(!withdraw(3).await);
    // What was tried cannot be withdrawn.
    accept(&**first, NewEntry { due: at(5), ..write(4, "c") }).await;
    claim_one(&**second, at(5)).await;
    claim_one(&**second, at(5)).await;
    let entry = claim_one(&**second, at(5)).await;
    assert_eq!(entry.summary.receipt, Receipt::from_bits(4));
    assert!(!withdraw(4).await);
    second.postpone(entry.token(), at(9), at(5)).await.expect("the store works").expect("the latest token");
    assert!(!withdraw(4).await);
}

pub(super) async fn bounds_are_kept(open: &impl AsyncFn(Bounds) -> Clients) {
    let Clients { first, second } = open(Bounds { entries: 2, arguments: 64, ..Bounds::default() }).await;
    let refused = async |new: NewEntry| first.put(new).await.expect_err("beyond the bounds").kind();
    let large = NewEntry { arguments: "x".repeat(65), ..write(1, "a") };
    assert_eq!(refused(large).await, StoreErrorKind::TooLarge);
    first.check().await.expect("there is space");
    accept(&*first, NewEntry { arguments: "x".repeat(64), ..write(1, "a") }).await;
    accept(&*second, write(2, "b")).await;
    assert_eq!(refused(write(3, "c")).await, StoreErrorKind::Full);
    assert_eq!(second.check().await.expect_err("full").kind(), StoreErrorKind::Full);
    put(&*first, write(4, "b")).await.expect_err("a full store still answers for its keys");
    // What has ended does not count.
    let entry = claim_one(&*first, at(0)).await;
    first.complete(entry.token(), None, at(0)).await.expect("the store works").expect("the latest token");
    accept(&*first, write(5, "c")).await;

    let Clients { first, .. } = open(Bounds { bytes: 1_000_000, ..Bounds::default() }).await;
    let large = |number: u128| NewEntry { arguments: "x".repeat(100_000), ..write(number, &number.to_string()) };
    let mut accepted = 0;
    let error = loop {
        match first.put(large(accepted)).await {
            Ok(Put::Accepted(_)) => accepted += 1,
            Ok(Put::Existing(found)) => panic!("no other entry has the key: {found:?}"),
            Err(error) => break error,
        }
        assert!(accepted <= 10, "1 MB holds ten times 100 kB");
    };
    assert!(accepted >= 5, "{accepted}");
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    // A full store can still end what it has, and then has space again.
    let entry = claim_one(&*first, at(0)).await;
    let result = Some("y".repeat(60_000));
    first.complete(entry.token(), result, at(0)).await.expect("the store works").expect("the latest token");
    let entry = claim_one(&*first, at(0)).await;
    first.complete(entry.token(), None, at(0)).await.expect("the store works").expect("the latest token");
    accept(&*first, NewEntry { now: at(1), ..large(99) }).await;
    assert!(first.find(&large(99).scope, "", at(1)).await.expect("it works").is_some());
}
