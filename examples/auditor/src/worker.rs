//! Where the work is done that keeps a core busy: beside the runtime, a little of it at a time.

use std::thread;

use resilient_runtime::Bulkhead;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{error::AuditError, nesting};

/// How much is done at a time in this process. What is asked for meanwhile waits its turn, within the time of its call.
static WORKERS: Bulkhead = Bulkhead::new(2).queue(8);

/// Whether anybody still waits.
pub(super) struct Stop(CancellationToken);

impl Stop {
    /// Somebody waits to the end.
    #[cfg(test)]
    pub(super) fn never() -> Self {
        Self(CancellationToken::new())
    }

    /// Between two pieces of work: whether there is a reason to go on.
    pub(super) fn check(&self) -> Result<(), AuditError> {
        if self.0.is_cancelled() { Err(AuditError::Stopped) } else { Ok(()) }
    }
}

/// Does this on a thread of its own, whose stack is large enough for the parser, which `spawn_blocking`'s is not.
///
/// When the future is dropped, because the call was cancelled or its time is over, the work is asked to stop. It keeps its slot
/// until it does.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce(&Stop) -> Result<T, AuditError> + Send + 'static,
) -> Result<T, AuditError> {
    let slot = WORKERS.acquire().await?;
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    let (tell, told) = oneshot::channel();
    thread::Builder::new().name("auditor".to_owned()).stack_size(nesting::STACK).spawn(move || {
        let _slot = slot;
        // Nobody listens any more where the work was stopped.
        let _ = tell.send(work(&Stop(stop)));
    })?;
    told.await.map_err(|_| AuditError::WorkerLost)?
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_stops() {
        let (tell, told) = mpsc::channel();
        let work = run(move |stop| {
            tell.send(Ok(())).unwrap();
            loop {
                if let Err(stopped) = stop.check() {
                    tell.send(Err(stopped)).unwrap();
                    return Ok(());
                }
                thread::yield_now();
            }
        });
        let work = tokio::spawn(work);
        let heard = tokio::task::spawn_blocking(move || {
            told.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
            work.abort();
            told.recv_timeout(Duration::from_secs(60)).unwrap()
        });
        assert!(matches!(heard.await.unwrap(), Err(AuditError::Stopped)));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let result = run(|_| -> Result<(), _> { panic!("a bug") }).await;
        assert!(matches!(result, Err(AuditError::WorkerLost)));
    }
}
