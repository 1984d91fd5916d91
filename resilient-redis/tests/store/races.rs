//! Clients that change the same entries at the same time.

use std::collections::BTreeSet;

use resilient_runtime::deferred::{DeferredStore, NewEntry, Put};
use tokio::task::JoinSet;

use crate::{RedisServer, accept, claim, get, now, store, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_claims_and_ends_of_one_entry_one_has_an_effect() {
    let server = RedisServer::start(&[]);
    let clients = [store(&server), store(&server), store(&server), store(&server)];
    for _ in 0..200 {
        accept(&clients[0], write()).await;
    }
    let mut workers = JoinSet::new();
    for store in clients.clone() {
        workers.spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let entries = claim(&store, 3).await;
                if entries.is_empty() {
                    return claimed;
                }
                claimed.extend(entries.into_iter().map(|entry| entry.token()));
            }
        });
    }
    let tokens: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    let receipts: BTreeSet<_> = tokens.iter().map(|token| token.receipt).collect();
    assert_eq!((tokens.len(), receipts.len()), (200, 200), "each entry is claimed once");
    // All clients report the end of each try.
    let mut workers = JoinSet::new();
    for store in clients.clone() {
        let tokens = tokens.clone();
        workers.spawn(async move {
            let mut ended = 0;
            for token in tokens {
                ended += usize::from(store.complete(token, Some("1".into()), now()).await.expect("it works").is_some());
            }
            ended
        });
    }
    assert_eq!(workers.join_all().await.into_iter().sum::<usize>(), 200, "each try ends once");
    let counts = clients[1].counts(None).await.expect("the store works");
    assert_eq!((counts.done, counts.running, counts.waiting), (200, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writes_with_one_key_one_is_accepted() {
    let server = RedisServer::start(&[]);
    let clients = [store(&server), store(&server), store(&server)];
    for _ in 0..50 {
        let new = write();
        let mut calls = JoinSet::new();
        for number in 0..9 {
            let (store, receipt) = (clients[number % 3].clone(), write().receipt);
            let new = NewEntry { receipt, ..new.clone() };
            calls.spawn(async move { store.put(new).await.expect("the store works") });
        }
        let (mut accepted, mut existing) = (Vec::new(), BTreeSet::new());
        for put in calls.join_all().await {
            match put {
                Put::Accepted(summary) => accepted.push(summary.receipt),
                Put::Existing(found) => assert!(existing.insert(found.entry.summary.receipt) || existing.len() == 1),
            }
        }
        assert_eq!(accepted.len(), 1);
        assert_eq!(existing.into_iter().collect::<Vec<_>>(), accepted);
        // A second call has the receipt.
        assert!(!clients[0].withdraw(accepted[0]).await.expect("the store works"));
        assert!(get(&clients[1], accepted[0]).await.is_some());
    }
}
