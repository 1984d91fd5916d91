//! Runs CPU-bound work on threads outside of the async runtime, two at a time.

use std::thread;

use resilient_runtime::Bulkhead;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{error::AuditError, nesting};

/// The limit of concurrent workers in this process. Further work queues until its call times out.
static WORKERS: Bulkhead = Bulkhead::new(2).queue(8);

/// Signals the worker that its result is no longer needed.
pub(super) struct Stop(CancellationToken);

impl Stop {
    /// A flag that is never set.
    #[cfg(test)]
    pub(super) fn never() -> Self {
        Self(CancellationToken::new())
    }

    /// Returns an error once the call has ended. Call it between two steps of the work.
    pub(super) fn check(&self) -> Result<(), AuditError> {
        if self.0.is_cancelled() { Err(AuditError::Stopped) } else { Ok(()) }
    }
}

/// Runs `work` on a separate thread with a stack that is large enough for the parser; the threads of `spawn_blocking`
/// have a smaller one.
///
/// Dropping the future (the call was cancelled or timed out) signals the worker to stop. The worker keeps its permit
/// until it has stopped.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce(&Stop) -> Result<T, AuditError> + Send + 'static,
) -> Result<T, AuditError> {
    let permit = WORKERS.acquire().await?;
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new().name("auditor".to_owned()).stack_size(nesting::STACK).spawn(move || {
        let _permit = permit;
        // Fails if the future was dropped.
        let _ = sender.send(work(&Stop(stop)));
    })?;
    receiver.await.map_err(|_| AuditError::WorkerLost)?
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[tokio::test]
    async fn abandoned_work_stops() {
        let (sender, receiver) = mpsc::channel();
        let work = run(move |stop| {
            sender.send(Ok(())).unwrap();
            loop {
                if let Err(stopped) = stop.check() {
                    sender.send(Err(stopped)).unwrap();
                    return Ok(());
                }
                thread::yield_now();
            }
        });
        let work = tokio::spawn(work);
        let outcome = tokio::task::spawn_blocking(move || {
            receiver.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
            work.abort();
            receiver.recv_timeout(Duration::from_secs(60)).unwrap()
        });
        assert!(matches!(outcome.await.unwrap(), Err(AuditError::Stopped)));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let result = run(|_| -> Result<(), _> { panic!("a bug") }).await;
        assert!(matches!(result, Err(AuditError::WorkerLost)));
    }
}
