//! How entries are claimed, and how tries are counted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{Clients, LEASE, accept, at, claim, claim_of, claim_one, failure, get, write};
use crate::deferred::{DeferredSettings, DeferredStore, NewEntry, NextTry, Receipt, State};

pub(super) async fn only_due_entries_of_known_tools_are_claimed(Clients { first, second }: &Clients) {
    for (number, due) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
        accept(&**first, NewEntry { due: at(due), ..write(number, &number.to_string()) }).await;
    }
    let mut other = write(5, "5");
    other.scope.tool = "other".into();
    accept(&**first, other).await;
    let mut elsewhere = write(6, "6");
    elsewhere.scope.server = "elsewhere".into();
    accept(&**first, elsewhere).await;

    let early = claim(&**second, 10, at(9)).await;
    assert!(early.entries.is_empty() && early.ended.is_empty(), "{early:?}");
    assert_eq!(early.next, Some(at(10)));
    let claims = claim(&**second, 2, at(30)).await;
    let receipts: Vec<_> = claims.entries.iter().map(|it| it.summary.receipt.bits()).collect();
    assert_eq!(receipts, [2, 3], "those that are due longest first");
    assert_eq!(claims.next, Some(at(30)), "a further one is due");
    let entry = &claims.entries[0];
    assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Running, 1));
    assert_eq!(entry.summary.due, at(30).after(LEASE), "the end of the lease");
    assert_eq!(entry.arguments, r#"{"key":"2"}"#);
    assert_eq!(get(&**first, Receipt::from_bits(2)).await, *entry, "a claim is in the store");
    let claims = claim(&**first, 10, at(30)).await;
    assert_eq!(claims.entries.len(), 1, "{claims:?}");
    assert_eq!(claims.next, Some(at(40)));
    let none = first.claim(&claim_of(&[], 10, at(99))).await.expect("the store works");
    assert!(none.entries.is_empty() && none.next.is_none(), "{none:?}");
    let both = first.claim(&claim_of(&["write", "other"], 10, at(40))).await.expect("the store works");
    let receipts: Vec<_> = both.entries.iter().map(|it| it.summary.receipt.bits()).collect();
    assert_eq!(receipts, [5, 4], "the order is that of all tools");
}

pub(super) async fn two_clients_never_hold_one_entry(Clients { first, second }: &Clients) {
    for number in 0..20 {
        accept(&**first, write(number, &number.to_string())).await;
    }
    let claim_all = |store: &Arc<dyn DeferredStore>| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut claimed = BTreeSet::new();
            loop {
                let entries = claim(&*store, 3, at(1)).await.entries;
                if entries.is_empty() {
                    break claimed;
                }
                claimed.extend(entries.into_iter().map(|it| it.summary.receipt));
            }
        })
    };
    // Both at once.
    let (of_first, of_second) = (claim_all(first), claim_all(second));
    let (of_first, of_second) = (of_first.await.expect("no panic"), of_second.await.expect("no panic"));
    assert!(of_first.is_disjoint(&of_second), "{of_first:?} {of_second:?}");
    assert_eq!(of_first.len() + of_second.len(), 20);
    let counts = first.counts(None).await.expect("the store works");
    assert_eq!((counts.running, counts.waiting), (20, 0));
}

pub(super) async fn an_old_token_changes_nothing(Clients { first, second }: &Clients) {
    accept(&**first, write(1, "a")).await;
    let old = claim_one(&**first, at(0)).await.token();
    assert!(claim(&**second, 1, at(19)).await.entries.is_empty(), "the lease is not over");
    let end = first.renew(old, LEASE, at(10)).await.expect("the store works");
    assert_eq!(end, Some(at(30)));
    assert!(claim(&**second, 1, at(29)).await.entries.is_empty(), "the lease was renewed");
    let new = claim_one(&**second, at(30)).await;
    assert!(new.token().fence > old.fence, "{new:?}");

    let before = get(&**second, old.receipt).await;
    assert_eq!(first.renew(old, LEASE, at(31)).await.expect("the store works"), None);
    assert_eq!(first.complete(old, Some("late".into()), at(31)).await.expect("the store works"), None);
    let late = failure("timeout", NextTry::At(at(60)));
    assert_eq!(first.fail(old, late, at(31)).await.expect("the store works"), None);
    assert_eq!(first.postpone(old, at(60), at(31)).await.expect("the store works"), None);
    assert_eq!(get(&**second, old.receipt).await, before);

    let done = second.complete(new.token(), Some("1".into()), at(32)).await.expect("the store works");
    assert_eq!(done.expect("the latest token").state, State::Done);
    let before = get(&**second, old.receipt).await;
    for token in [old, new.token()] {
        let again = first.complete(token, Some("2".into()), at(33)).await.expect("the store works");
        assert_eq!(again, None, "an entry ends once");
    }
    assert_eq!(get(&**second, old.receipt).await, before);
}

pub(super) async fn a_try_whose_process_died_counts(Clients { first, second }: &Clients) {
    let policy = DeferredSettings::new().tries(2);
    accept(&**first, NewEntry { policy, ..write(1, "a") }).await;
    claim_one(&**first, at(0)).await;
    let entry = claim_one(&**second, at(20)).await;
    assert_eq!((entry.summary.tries_used, entry.summary.interrupted), (2, 1));
    assert_eq!(entry.summary.last_code.as_deref(), Some("interrupted"));
    let claims = claim(&**first, 1, at(40)).await;
    assert!(claims.entries.is_empty(), "no try is left");
    assert_eq!(claims.ended.len(), 1);
    assert_eq!((claims.ended[0].state, claims.ended[0].interrupted), (State::Dead, 2));
    assert_eq!(claims.next, None);
    assert_eq!(second.counts(None).await.expect("the store works").interrupted, 2);
    // Without a claim, a sweep ends it.
    accept(&**first, NewEntry { policy, ..write(2, "b") }).await;
    claim_one(&**first, at(0)).await;
    claim_one(&**second, at(20)).await;
    let swept = first.sweep("elsewhere", at(40)).await.expect("the store works");
    assert!(swept.ended.is_empty(), "a server ends its own entries only");
    let swept = first.sweep("server", at(40)).await.expect("the store works");
    assert_eq!(swept.ended.iter().map(|it| it.receipt.bits()).collect::<Vec<_>>(), [2]);
    assert_eq!(swept.removed, 0);
    // A process that was only slow can still report its try, until another claim.
    accept(&**first, write(3, "c")).await;
    let slow = claim_one(&**first, at(0)).await;
    let done = first.complete(slow.token(), None, at(60)).await.expect("the store works");
    assert_eq!(done.expect("no later claim").state, State::Done);
}

pub(super) async fn a_postponed_try_does_not_count(Clients { first, second }: &Clients) {
    accept(&**first, write(1, "a")).await;
    for round in 0..20 {
        let entry = claim_one(&**first, at(round)).await;
        let postponed = first.postpone(entry.token(), at(round + 1), at(round)).await.expect("the store works");
        let postponed = postponed.expect("the latest token");
        assert_eq!((postponed.state, postponed.tries_used, postponed.due), (State::Waiting, 0, at(round + 1)));
        assert!(claim(&**second, 1, at(round)).await.entries.is_empty(), "it is not due");
    }
    let entry = claim_one(&**second, at(20)).await;
    let next = at(20).after(Duration::from_secs(60));
    let failed = second.fail(entry.token(), failure("timeout", NextTry::At(next)), at(20)).await;
    let failed = failed.expect("the store works").expect("the latest token");
    assert_eq!((failed.state, failed.tries_used, failed.tries_left(), failed.due), (State::Waiting, 1, 7, next));
    assert_eq!(failed.last_code.as_deref(), Some("timeout"));
}
