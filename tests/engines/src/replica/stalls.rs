//! When the process did not run, although it had something to do: the machine has fewer cores than busy processes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use tokio::time::sleep;

/// How often the process looks at the clock.
const LOOK: Duration = Duration::from_millis(4);

/// A look that is later than this is a stall. Timers have a resolution of a millisecond.
const LATE: Duration = Duration::from_millis(4);

/// The stalls since the start.
#[derive(Debug)]
pub(super) struct Stalls {
    found: Arc<Mutex<Vec<(Instant, Instant)>>>,
    task: AbortHandle,
}

impl Stalls {
    /// Starts to look at the clock.
    pub(super) fn watch() -> Self {
        let found = Arc::<Mutex<Vec<_>>>::default();
        let stalls = Arc::clone(&found);
        let task = tokio::spawn(async move {
            loop {
                let expected = Instant::now() + LOOK;
                sleep(LOOK).await;
                let now = Instant::now();
                if now.duration_since(expected) > LATE {
                    stalls.lock().unwrap_or_else(PoisonError::into_inner).push((expected, now));
                }
            }
        });
        Self { found, task: task.abort_handle() }
    }

    /// The time between two instants without the stalls in it.
    pub(super) fn without(&self, from: Instant, to: Instant) -> Duration {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let stalled = found.iter().map(|(begun, ended)| to.min(*ended).saturating_duration_since(from.max(*begun)));
        to.duration_since(from).saturating_sub(stalled.sum())
    }

    /// The longest stall.
    pub(super) fn longest(&self) -> Duration {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.iter().map(|(begun, ended)| ended.duration_since(*begun)).max().unwrap_or_default()
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.task.abort();
    }
}
