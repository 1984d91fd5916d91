//! A slow service behind the reads under test: a test sets what it answers, and it counts its requests.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resilient_runtime::Registry;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::error::Error;

/// How long a request takes, unless a test sets another time.
pub(super) const TAKES: Duration = Duration::from_secs(1);

/// What the service does next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Does {
    Answer,
    Fail(Error),
    Panic,
    Hang,
}

/// The service.
#[derive(Debug)]
pub(super) struct Upstream {
    requests: AtomicU32,
    running: AtomicU32,
    most_at_once: AtomicU32,
    next: Mutex<(Duration, Does)>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            requests: AtomicU32::new(0),
            running: AtomicU32::new(0),
            most_at_once: AtomicU32::new(0),
            next: Mutex::new((TAKES, Does::Answer)),
        }
    }
}

impl Upstream {
    /// Sets how long each request takes that begins from now on.
    pub(super) fn takes(&self, time: Duration) {
        self.next.lock().expect("not poisoned").0 = time;
    }

    /// Sets how each request ends that begins from now on.
    pub(super) fn does(&self, what: Does) {
        self.next.lock().expect("not poisoned").1 = what;
    }

    /// Requests the answer to `number`, which has the number of the request in it.
    pub(super) async fn request(&self, number: u32) -> Result<String, Error> {
        let count = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(running, Ordering::Relaxed);
        let _running = Running(&self.running);
        let (takes, does) = self.next.lock().expect("not poisoned").clone();
        if !takes.is_zero() {
            sleep(takes).await;
        }
        match does {
            Does::Answer => Ok(answer(number, count)),
            Does::Fail(error) => Err(error),
            Does::Panic => resume_unwind(Box::new("on purpose")),
            Does::Hang => std::future::pending().await,
        }
    }

    /// The number of requests so far.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The number of requests that run.
    pub(super) fn running(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    /// The greatest number of requests that ran at the same time.
    pub(super) fn most_at_once(&self) -> u32 {
        self.most_at_once.load(Ordering::Relaxed)
    }
}

struct Running<'a>(&'a AtomicU32);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The answer to this number by this request of an [`Upstream`].
pub(super) fn answer(number: u32, request: u32) -> String {
    format!("{number} by request {request}")
}

/// Spawns a task in this registry.
pub(super) fn spawn<F>(registry: &Arc<Registry>, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(Arc::clone(registry).scope(future))
}

/// Runs the other tasks until a condition holds, without letting time pass.
pub(super) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

/// Lets every task run that does not wait for time.
pub(super) async fn settle() {
    sleep(Duration::from_millis(1)).await;
}
