//! Running the checks: all at a time, each in a task of its own and within its own limit.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::check::{CheckResult, HealthCheck};
use crate::clock::later;
use crate::pipeline::barrier;

/// What each check finds, and how long it took. They are given up where nobody waits for them.
pub(super) async fn all(checks: &[Arc<HealthCheck>]) -> Vec<(CheckResult, Duration)> {
    let started = Instant::now();
    let begin = |check: &Arc<HealthCheck>| {
        let check = Arc::clone(check);
        AbortOnDropHandle::new(tokio::spawn(async move { one(&check).await }))
    };
    let running: Vec<_> = checks.iter().map(begin).collect();
    let mut found = Vec::with_capacity(checks.len());
    for (check, running) in checks.iter().zip(running) {
        // One that does not give up its thread cannot be cut off, but nobody has to wait for it.
        let ended = timeout_at(later(started, check.timeout), running).await;
        found.push(match ended {
            Ok(Ok(one)) => one,
            // A runtime that shuts down ends its tasks.
            Ok(Err(_)) => (CheckResult::fail("the check was given up"), started.elapsed()),
            Err(_) => (check.too_late(), started.elapsed()),
        });
    }
    found
}

/// Runs a check within its limit. A panic is a failure.
async fn one(check: &HealthCheck) -> (CheckResult, Duration) {
    let started = Instant::now();
    let mut looking = Looking(barrier(|| check.check.look()));
    let caught = poll_fn(|cx| match &mut looking.0 {
        None => Poll::Ready(None),
        Some(look) => match barrier(|| look.as_mut().poll(cx)) {
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
        barrier(|| drop(self.0.take()));
    }
}
