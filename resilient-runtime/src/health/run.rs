//! Runs the checks concurrently, each in a separate task with its own timeout.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;

use resilient_policy::format_duration;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::check::{CheckResult, HealthCheck};
use crate::clock::later;
use crate::panics::catch_panic;

/// The result of a check, and how long it took.
type Found = (CheckResult, Duration);

/// Runs all checks and returns their results in the same order.
pub(super) async fn all(checks: &[Arc<HealthCheck>]) -> Vec<Found> {
    let started = Instant::now();
    let begun: Vec<_> = checks.iter().map(begin).collect();
    let mut found = Vec::with_capacity(checks.len());
    for (check, begun) in checks.iter().zip(begun) {
        found.push(match begun {
            Ok(running) => ended(check, started, running).await,
            Err(before) => {
                let took = before.elapsed();
                let seconds = Duration::from_secs(took.as_secs());
                (CheckResult::fail(format!("still running after {}", format_duration(seconds))), took)
            }
        });
    }
    found
}

/// Starts a check, or returns when its previous run started if that is still running. A check that blocks its thread
/// cannot be cancelled, and must not block another thread in each run.
fn begin(check: &Arc<HealthCheck>) -> Result<AbortOnDropHandle<Found>, Instant> {
    let mut last = check.last.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((running, since)) = &*last
        && !running.is_finished()
    {
        return Err(*since);
    }
    let own = Arc::clone(check);
    let running = AbortOnDropHandle::new(tokio::spawn(async move { one(&own).await }));
    *last = Some((running.abort_handle(), Instant::now()));
    Ok(running)
}

/// Waits for a check until its timeout.
async fn ended(check: &HealthCheck, started: Instant, running: AbortOnDropHandle<Found>) -> Found {
    // A check that blocks its thread cannot be cancelled, but the report does not wait for it.
    match timeout_at(later(started, check.timeout), running).await {
        Ok(Ok(found)) => found,
        // A runtime that shuts down cancels its tasks.
        Ok(Err(_)) => (CheckResult::fail("the check was given up"), started.elapsed()),
        Err(_) => (check.too_late(), started.elapsed()),
    }
}

/// Runs a check until its timeout. A panic is a failure.
async fn one(check: &HealthCheck) -> Found {
    let started = Instant::now();
    let mut running = Running(catch_panic(|| check.check.check_boxed()));
    let caught = poll_fn(|cx| match &mut running.0 {
        None => Poll::Ready(None),
        Some(look) => match catch_panic(|| look.as_mut().poll(cx)) {
            None => Poll::Ready(None),
            Some(polled) => polled.map(Some),
        },
    });
    let result = match timeout(check.timeout, pin!(caught)).await {
        Ok(None) => CheckResult::fail("the check panicked"),
        Ok(Some(result)) if started.elapsed() <= check.timeout => result,
        Ok(Some(_)) | Err(_) => check.too_late(),
    };
    (result, started.elapsed())
}

/// The future of a running check, or `None` if creating it panicked.
struct Running<'a>(Option<Pin<Box<dyn Future<Output = CheckResult> + Send + 'a>>>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Dropping the rest of the future may panic too, also after the caller was cancelled.
        catch_panic(|| drop(self.0.take()));
    }
}
