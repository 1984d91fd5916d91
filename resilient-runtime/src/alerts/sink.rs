//! A sink: an outbox, and the task that sends what is in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::outbox::{Next, Outbox};
use super::post::{Failure, Post};
use crate::alerting::Step;
use crate::clock::later;
use crate::panics::catch_panic;
use crate::registry::Registry;

/// The delays between the tries of a request that fails, before jitter.
const SHORTEST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// The time for the last requests when the server stops.
pub(super) const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// A sink with its task. The task that evaluates the alerts adds to it and never waits for it.
pub(super) struct Sink {
    /// The kind of the sink: the label `sink` of the counter of lost changes.
    kind: &'static str,
    post: Post,
    outbox: Mutex<Box<dyn Outbox>>,
    is_new: Notify,
    registry: Option<Arc<Registry>>,
}

impl Sink {
    pub(super) fn new(
        kind: &'static str,
        post: Post,
        outbox: impl Outbox + 'static,
        registry: Option<Arc<Registry>>,
    ) -> Self {
        Self { kind, post, outbox: Mutex::new(Box::new(outbox)), is_new: Notify::new(), registry }
    }

    /// Adds the result of an evaluation.
    pub(super) fn add(&self, step: &Step) {
        let lost = self.lock().add(step);
        self.count_lost(lost, "the queue is full");
        self.is_new.notify_one();
    }

    /// Sends what is in the outbox, until `stop`, and then what is still in it.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        stop.run_until_cancelled(self.send_all()).await;
        let _ = timeout(LAST_REQUESTS, self.send_rest()).await;
        let unsent = self.lock().unsent();
        self.count_lost(unsent, "the server stops");
    }

    async fn send_all(&self) {
        let mut failures = 0;
        loop {
            match self.send_next().await {
                Ok(()) if std::mem::take(&mut failures) > 0 => self.log_recovery(),
                Ok(()) => {}
                Err(failure) if failure.is_final() => {
                    self.log_failure(&failure);
                    failures = 0;
                }
                Err(failure) => {
                    // Once, and not at every try.
                    if failures == 0 {
                        self.log_failure(&failure);
                    }
                    sleep(delay(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    /// Sends the waiting requests, until one fails that could be tried again.
    async fn send_rest(&self) {
        while self.lock().unsent() > 0 {
            if let Next::Wait(_) = self.next() {
                return;
            }
            if let Err(failure) = self.send_next().await {
                self.log_failure(&failure);
                if !failure.is_final() {
                    return;
                }
            }
        }
    }

    /// Waits for a request and sends it. After an error the request is still in the outbox, unless this was its last try.
    async fn send_next(&self) -> Result<(), Failure> {
        let body = loop {
            match self.next() {
                Next::Send(body) => break body,
                Next::Wait(until) => {
                    let far = || later(Instant::now(), Duration::MAX);
                    let _ = timeout_at(until.unwrap_or_else(far), self.is_new.notified()).await;
                }
            }
        };
        let result = self.post.send(body.to_string().into_bytes()).await;
        let now = Instant::now();
        match &result {
            Ok(()) => self.lock().sent(now),
            Err(failure) => {
                let lost = self.lock().failed(now, failure.most_tries);
                self.count_lost(lost.unwrap_or_default(), "the receiver refused it");
            }
        }
        result
    }

    fn next(&self) -> Next {
        self.lock().next(Instant::now(), SystemTime::now())
    }

    fn count_lost(&self, lost: u64, reason: &str) {
        if lost == 0 {
            return;
        }
        let registry = self.registry.as_deref().unwrap_or_else(|| Registry::global());
        registry.alert_board().count_lost(self.kind, lost);
        let (sink, origin) = (self.kind, self.post.origin());
        catch_panic(|| {
            tracing::error!(event = "alert.lost", sink, origin, lost, reason, "changes of alerts were not sent");
        });
    }

    fn log_failure(&self, Failure { text, .. }: &Failure) {
        let (sink, origin) = (self.kind, self.post.origin());
        catch_panic(|| {
            tracing::warn!(event = "alert.sink_failed", sink, origin, error = text, "alerts could not be sent");
        });
    }

    fn log_recovery(&self) {
        let (sink, origin) = (self.kind, self.post.origin());
        catch_panic(|| tracing::info!(event = "alert.sink_recovered", sink, origin, "alerts are sent again"));
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Outbox>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the delay after so many failures before: twice as long each time, up to a half shorter at random.
fn delay(failures: u32) -> Duration {
    let longest = SHORTEST_DELAY.saturating_mul(1 << failures.min(10)).min(LONGEST_DELAY);
    longest.mul_f64(1.0 - fastrand::f64() / 2.0)
}
