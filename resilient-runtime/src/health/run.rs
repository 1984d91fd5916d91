//! Running the checks: all at a time, each in a task of its own and within its own limit.

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
use crate::pipeline::catch_panic;

/// What a check found, and how long it took.
type Found = (CheckResult, Duration);

/// What each check finds.
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

/// Starts a check, unless it still runs since that moment: one that keeps its thread cannot be cut off,
/// and must not take another one each time.
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

/// Waits for a check, for as long as it has.
async fn ended(check: &HealthCheck, started: Instant, running: AbortOnDropHandle<Found>) -> Found {
    // One that does not give up its thread cannot be cut off, but nobody has to wait for it.
    match timeout_at(later(started, check.timeout), running).await {
        Ok(Ok(found)) => found,
        // A runtime that shuts down ends its tasks.
        Ok(Err(_)) => (CheckResult::fail("the check was given up"), started.elapsed()),
        Err(_) => (check.too_late(), started.elapsed()),
    }
}

/// Runs a check within its limit. A panic is a failure.
async fn one(check: &HealthCheck) -> Found {
    let started = Instant::now();
    let mut looking = Looking(catch_panic(|| check.check.look()));
    let caught = poll_fn(|cx| match &mut looking.0 {
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

/// A check that runs, if making it did not panic.
struct Looking<'a>(Option<Pin<Box<dyn Future<Output = CheckResult> + Send + 'a>>>);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        // What is left of it may panic too, also where whoever asked has given up.
        catch_panic(|| drop(self.0.take()));
    }
}
