//! The task that keeps a connection: connects, waits for its loss, and connects again.

use std::sync::Arc;
use std::time::Duration;

use resilient_policy::{BreakerSettings, BreakerUse, Policy};
use resilient_runtime::{Classify, ErrorKind, Guard, McpError, ResilienceError};
use tokio::time::Instant;

use super::backoff::Backoff;
use super::inner::Inner;
use super::{Events, attempt};
use crate::failure::Failure;
use crate::interned::breaker_name;

/// The number of connections in a row that answer nothing, after which requests are rejected.
const FAILURES: u32 = 5;
/// How long requests are rejected then.
const OPEN: Duration = Duration::from_secs(10);
/// How long a connection has to last, so that the next one is made without a delay.
const LASTS: Duration = Duration::from_secs(10);

/// Starts the driver, which runs until the supervisor stops.
pub(super) fn spawn<E: Events>(inner: &Arc<Inner<E>>) {
    let (stop, inner) = (inner.stop.clone(), Arc::clone(inner));
    tokio::spawn(async move {
        let mut drive = std::pin::pin!(drive(&inner));
        tokio::select! {
            () = stop.cancelled() => {}
            () = &mut drive => {}
        }
        // Without a clean stop, the process is killed.
        if !inner.is_stopped() {
            drop(inner.state().stop());
            inner.change();
        }
    });
}

async fn drive<E: Events>(inner: &Arc<Inner<E>>) {
    let guard = guard(&inner.name);
    let mut backoff = Backoff::default();
    // Why the last attempt has failed, also while there are none.
    let mut reason = None;
    let mut is_by_request = false;
    // A stop may come while an attempt fails. A request that waited for it would be a reason for the next attempt, again and
    // again, without a point at which this task could be dropped.
    while !inner.is_stopped() {
        let connected: Result<u64, Ended> = match &guard {
            Some(guard) => guard.call(|| async { attempt::connect(inner).await.map_err(Ended::Failed) }).await,
            None => attempt::connect(inner).await.map_err(Ended::Failed),
        };
        let delay = match connected {
            Ok(generation) => {
                let begun = Instant::now();
                lost(inner, generation).await;
                while inner.state().is_resting() {
                    inner.wanted.notified().await;
                }
                // A request connects at once all the same.
                if begun.elapsed() >= LASTS {
                    backoff.reset();
                    Duration::ZERO
                } else {
                    backoff.next(fastrand::f64(), is_by_request)
                }
            }
            Err(ended) => {
                let (mut failure, delay) = ended.read(&mut backoff, is_by_request);
                let rejects = failure.kind == ErrorKind::CircuitOpen;
                match &reason {
                    Some(reason) if rejects => failure.message = format!("{}; the last one: {reason}", failure.message),
                    _ => reason = Some(failure.message.clone()),
                }
                tracing::warn!(
                    event = "server.not_connected",
                    server = &*inner.name,
                    reason = failure.message.as_str()
                );
                inner.shown.down(&failure.message);
                let link = inner.state().fail(failure, rejects);
                if let Some(link) = link {
                    link.kill();
                }
                inner.change();
                if rejects {
                    tokio::time::sleep(delay).await;
                    continue;
                }
                delay
            }
        };
        // A request that has waited for the attempt that failed has its answer, and wants no other one.
        let wanted = async {
            while !inner.state().is_wanted() {
                inner.wanted.notified().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(delay) => is_by_request = false,
            () = wanted => is_by_request = true,
        }
    }
}

/// Waits until a connection is lost.
async fn lost<E: Events>(inner: &Inner<E>, generation: u64) {
    let mut changed = inner.changed.subscribe();
    while inner.is_open(generation) {
        // The sender is in `inner`.
        if changed.changed().await.is_err() {
            return;
        }
    }
}

/// Returns the guard of the connection. The handshake has its own limit, which the settings of the supervisor set.
fn guard(name: &str) -> Option<Guard> {
    let mut settings = BreakerSettings::new();
    (settings.failures, settings.open, settings.successes) = (FAILURES, OPEN, 1);
    let name = breaker_name(&format!("{name}.connection"));
    let policy = Policy::new().timeout(Policy::LONGEST_TIMEOUT).breaker(BreakerUse::with(name, settings));
    Guard::checked(name, policy).inspect_err(|error| tracing::error!(event = "config.error", %error)).ok()
}

/// How an attempt to connect has failed.
#[derive(Debug, thiserror::Error, McpError)]
enum Ended {
    #[error(transparent)]
    #[mcp(transparent)]
    Failed(Failure),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

impl Ended {
    /// Returns the failure that requests get, and the delay until the next attempt.
    fn read(self, backoff: &mut Backoff, is_by_request: bool) -> (Failure, Duration) {
        match self {
            Self::Failed(failure) => {
                let delay = backoff.next(fastrand::f64(), is_by_request);
                (failure, delay)
            }
            Self::Resilience(error) => {
                let wait = error.retry_after().unwrap_or(OPEN);
                let message =
                    "the server answered nothing in several connections in a row, so it is not tried for a while";
                let mut failure = Failure::not_sent(error.kind(), message);
                failure.retry_after = Some(wait);
                (failure, wait)
            }
        }
    }
}
