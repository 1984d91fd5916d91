//! Servers that are killed at one step, while a second one works on the same store.

use resilient_runtime::deferred::State;

use super::shared_store::{
    SharedStore, accept, arguments, assert_written_once, counted, delivered, receipt, record, summary, write,
};
use super::{HOLD, Mode, Step, Upstream};
use crate::child::Server;
use crate::wire::text;

async fn upstream(mode: Mode) -> Upstream {
    Upstream::start(mode).await.expect("a port")
}

/// Starts a server whose store stops at a step.
async fn serve_until(shared: &SharedStore, upstream: &Upstream, step: Step) -> Server {
    shared.serve(upstream, &[(HOLD, step.as_str())]).await
}

/// Waits until the store of a server has reached a step.
async fn reached(server: &Server, step: Step) {
    let line = format!("step: {}", step.as_str());
    server.process().wait_for_log(|logged| logged == line).await.expect("the step");
}

/// Sends a write that the server does not answer, and kills the server once it has reached the step.
async fn killed_while_accepting(server: &Server, step: Step) {
    let sent = record("a");
    let (answer, ()) = tokio::join!(server.call("write", arguments(&sent)), async {
        reached(server, step).await;
        server.process().kill().expect("a running process");
    });
    assert!(answer.is_err(), "{answer:?}");
}

/// Asserts that a server that is killed before the commit has accepted nothing, and that the key is free. `block` stops
/// the store from accepting anything until its value is dropped.
///
/// # Panics
/// If that is not so.
pub async fn assert_killed_before_the_commit<G>(shared: &SharedStore, block: impl FnOnce() -> G) {
    let upstream = upstream(Mode::Down).await;
    let other = shared.serve(&upstream, &[]).await;
    let first = serve_until(shared, &upstream, Step::Putting).await;
    let blocked = block();
    killed_while_accepting(&first, Step::Putting).await;
    drop(blocked);
    let counted = shared.counts().await;
    assert_eq!(State::ALL.iter().map(|state| counted.of(*state)).sum::<u64>(), 0, "{counted:?}");
    let receipt = accept(&other, &record("a")).await;
    upstream.set(Mode::Up);
    assert_eq!(delivered(&*shared.store, receipt).await.interrupted, 0);
    assert_written_once(&upstream, &record("a"));
}

/// Asserts that an entry whose server is killed after the commit and before the answer is delivered, and that a second
/// call gets its receipt.
///
/// # Panics
/// If that is not so.
pub async fn assert_killed_after_the_commit(shared: &SharedStore) {
    let upstream = upstream(Mode::Down).await;
    let other = shared.serve(&upstream, &[]).await;
    killed_while_accepting(&serve_until(shared, &upstream, Step::Put).await, Step::Put).await;
    let counted = shared.counts().await;
    assert_eq!(counted.waiting + counted.running, 1, "{counted:?}");
    let receipt = accept(&other, &record("a")).await;
    let counted = shared.counts().await;
    assert_eq!(counted.waiting + counted.running, 1, "the same entry: {counted:?}");
    upstream.set(Mode::Up);
    delivered(&*shared.store, receipt).await;
    assert_written_once(&upstream, &record("a"));
}

/// What happened after a kill during a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Afterwards {
    /// The number of further tries.
    pub tries: u32,
    /// The number of tries that were interrupted.
    pub interrupted: u32,
    /// The number of requests that the upstream received again.
    pub repeated: u32,
}

/// Lets a server accept a write and try to deliver it, and kills it there: at a step of the store, or while the upstream
/// has the request. A second server takes over, and the write takes effect once.
///
/// # Panics
/// If that is not so.
pub async fn killed_while_delivering(shared: &SharedStore, hold: Option<Step>, mode: Mode) -> Afterwards {
    let upstream = upstream(Mode::Down).await;
    let first = match hold {
        Some(step) => serve_until(shared, &upstream, step).await,
        None => shared.serve(&upstream, &[]).await,
    };
    let accepted = accept(&first, &record("a")).await;
    match hold {
        Some(step) => {
            upstream.set(mode);
            reached(&first, step).await;
        }
        None => upstream.set_until_request(mode).await.expect("a try"),
    }
    let before = summary(&*shared.store, accepted).await.expect("the entry");
    let other = if hold.is_some() {
        // The step lasts until the process is killed.
        let other = shared.serve(&upstream, &[]).await;
        first.process().kill().expect("a running process");
        other
    } else {
        first.process().kill().expect("a running process");
        upstream.set(Mode::Up);
        shared.serve(&upstream, &[]).await
    };
    let after = delivered(&*shared.store, accepted).await;
    let answer = write(&other, &record("a")).await;
    assert_eq!((text(&answer).as_str(), receipt(&answer)), ("written: a", None), "the kept result");
    let interrupted = after.interrupted - before.interrupted;
    assert!(counted(&other, "interrupted").await >= f64::from(interrupted), "the survivor reports it");
    let repeated = assert_written_once(&upstream, &record("a"));
    Afterwards { tries: after.tries_used - before.tries_used, interrupted, repeated }
}
