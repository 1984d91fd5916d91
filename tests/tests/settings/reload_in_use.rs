//! Settings that are reloaded while calls run: no call fails for it, and no permit is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use resilient_runtime::{Registry, ResilienceError, resilient};
use rmcp::{tool, tool_router};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{SECOND, TempFile, variables};

/// A tool that waits until it may end.
struct Store {
    may_end: Semaphore,
    running: AtomicUsize,
}

#[resilient(timeout = "60s")]
#[tool_router]
impl Store {
    /// Has every part whose settings can change.
    #[resilient(
        retry(max = 2, base = "10ms"),
        breaker(name = "store", rate = 0.5, slow = "500ms"),
        bulkhead(max = 5, queue = 200),
        rate_limit = "1000000/1s"
    )]
    #[tool(annotations(read_only_hint = true))]
    async fn take(&self) -> Result<String, ResilienceError> {
        self.running.fetch_add(1, Ordering::SeqCst);
        let ended = self.may_end.acquire().await.map(drop);
        self.running.fetch_sub(1, Ordering::SeqCst);
        ended.map(|()| String::new()).map_err(|_| ResilienceError::Cancelled)
    }

    /// Shares its limits.
    #[resilient(bulkhead(name = "shared", max = 2, queue = 200), rate_limit(rate = "1000000/1s", name = "shared"))]
    #[tool]
    async fn give(&self) -> Result<String, ResilienceError> {
        tokio::task::yield_now().await;
        Ok(String::new())
    }
}

fn start(file: &TempFile) -> (resilient_runtime::startup::Handle, Arc<Registry>, Arc<Store>) {
    let registry = Arc::new(Registry::new());
    let started = variables(&[("RESILIENT_CONFIG", file.path())]).tools(Store::tool_router).start_with(&registry);
    let store = Store { may_end: Semaphore::new(0), running: AtomicUsize::new(0) };
    (started.expect("nothing is wrong"), registry, Arc::new(store))
}

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A file that is valid, or broken, in several ways.
fn text(round: usize) -> String {
    let (max, open, factor) = (1 + round % 9, 1 + round % 50, 1 + round % 5);
    match round % 7 {
        3 => format!("[tool.take]\ntimeout = \"{open}s\"\nbulkhead = {{ max = 0 }}\n"),
        5 => format!("[tool.take]\nbulkhead = {max}\n[tool.taken]\nbulkhead = {max}\n"),
        6 => "[tool.take]\nbulkhead = 3\n]".into(),
        4 => String::new(),
        _ => format!(
            "[default]\ntimeout = \"{}s\"\n[tool.take]\nbulkhead = {{ max = {max}, queue = 200 }}\nretry = {{ max = {factor} }}\n\
             rate_limit = \"{}/1s\"\n[tool.give]\nbulkhead = {{ max = {factor}, queue = 300 }}\n\
             [breaker.store]\nopen = \"{open}s\"\nwindow = {}\nslow = \"{}ms\"\n",
            60 + open,
            1_000_000 + round,
            50 + max,
            400 + 50 * max,
        ),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_calls_in_flight_none_fails_for_a_thousand_reloads_and_no_permit_is_lost() {
    let file = TempFile::new("");
    let (handle, registry, store) = start(&file);
    store.may_end.add_permits(100);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in 0..50 {
        let (registry, store, is_over) = (Arc::clone(&registry), Arc::clone(&store), Arc::clone(&is_over));
        callers.spawn(async move {
            let mut calls = 0_u32;
            while !is_over.load(Ordering::SeqCst) {
                let scope = Arc::clone(&registry);
                let answer =
                    if caller % 2 == 0 { scope.scope(store.take()).await } else { scope.scope(store.give()).await };
                assert!(answer.is_ok(), "{answer:?}");
                calls += 1;
                tokio::task::yield_now().await;
            }
            calls
        });
    }
    let reloads = tokio::task::spawn_blocking(move || {
        let (mut applied, mut broken) = (0, 0);
        for round in 0..1_000 {
            file.write(&text(round));
            match handle.reload() {
                Ok(_) => applied += 1,
                Err(_) => broken += 1,
            }
        }
        (handle, file, applied, broken)
    });
    let (handle, file, applied, broken) = reloads.await.expect("no panic");
    is_over.store(true, Ordering::SeqCst);
    let calls: u32 = callers.join_all().await.into_iter().sum();
    assert!(calls > 500, "{calls}");
    assert_eq!((applied, broken), (572, 428));
    // The whole capacity can be used, and no more.
    for max in [6, 3, 8] {
        file.write(&format!("[tool.take]\nbulkhead = {{ max = {max}, queue = 0 }}\n"));
        handle.reload().expect("nothing is wrong");
        store.may_end.forget_permits(usize::MAX >> 4);
        let mut held: JoinSet<_> = (0..max)
            .map(|_| {
                let (registry, store) = (Arc::clone(&registry), Arc::clone(&store));
                async move { registry.scope(store.take()).await }
            })
            .collect();
        while store.running.load(Ordering::SeqCst) < max {
            tokio::task::yield_now().await;
        }
        let one_more = Arc::clone(&registry).scope(store.take()).await;
        assert!(matches!(one_more, Err(ResilienceError::Overloaded { .. })), "{max}: {one_more:?}");
        store.may_end.add_permits(max);
        while let Some(answer) = held.join_next().await {
            assert!(answer.expect("no panic").is_ok());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn running_calls_keep_their_policy_and_waiting_ones_get_the_new_permits_at_once() {
    let file = TempFile::new("[tool.take]\nbulkhead = { max = 1, queue = 5 }\ntimeout = \"20s\"\n");
    let (handle, registry, store) = start(&file);
    let mut calls: JoinSet<_> = (0..3)
        .map(|_| {
            let (registry, store) = (Arc::clone(&registry), Arc::clone(&store));
            async move { registry.scope(store.take()).await }
        })
        .collect();
    settle().await;
    assert_eq!(store.running.load(Ordering::SeqCst), 1);
    file.write("[tool.take]\nbulkhead = { max = 2, queue = 5 }\ntimeout = \"5s\"\nattempt_timeout = \"1s\"\n");
    handle.reload().expect("nothing is wrong");
    settle().await;
    assert_eq!(store.running.load(Ordering::SeqCst), 2);
    file.write("[tool.take]\nbulkhead = { max = 3, queue = 5 }\ntimeout = \"5s\"\nattempt_timeout = \"1s\"\n");
    handle.reload().expect("nothing is wrong");
    settle().await;
    assert_eq!(store.running.load(Ordering::SeqCst), 3);
    tokio::time::advance(Duration::from_secs(8)).await;
    store.may_end.add_permits(3);
    while let Some(answer) = calls.join_next().await {
        assert!(answer.expect("no panic").is_ok(), "8 s are less than the 10 s that its attempts had");
    }
    store.may_end.forget_permits(3);
    let begun = tokio::time::Instant::now();
    let late = Arc::clone(&registry).scope(store.take()).await;
    assert!(matches!(late, Err(ResilienceError::Timeout { .. })), "{late:?}");
    assert!(begun.elapsed() <= 5 * SECOND, "a new call has the new policy");
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_that_is_removed_and_comes_back_still_knows_its_running_calls() {
    let file = TempFile::new("[tool.take]\nbulkhead = { max = 1, queue = 0 }\n");
    let (handle, registry, store) = start(&file);
    let call = || {
        let (registry, store) = (Arc::clone(&registry), Arc::clone(&store));
        tokio::spawn(async move { registry.scope(store.take()).await })
    };
    let first = call();
    settle().await;
    file.write("[tool.take]\nbulkhead = \"none\"\n");
    handle.reload().expect("nothing is wrong");
    let second = call();
    settle().await;
    assert_eq!(store.running.load(Ordering::SeqCst), 2);
    file.write("[tool.take]\nbulkhead = { max = 1, queue = 0 }\n");
    handle.reload().expect("nothing is wrong");
    assert!(matches!(call().await.expect("no panic"), Err(ResilienceError::Overloaded { .. })));
    store.may_end.add_permits(2);
    assert!(first.await.expect("no panic").is_ok() && second.await.expect("no panic").is_ok());
}
