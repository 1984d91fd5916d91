//! The leases of the running tries, while the machine is suspended.
//!
//! The clock of the store goes on during a suspension, and timers do not: after it, the leases of tries that still run
//! are over. Otherwise a worker would start each of them a second time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::deferred::{ClaimToken, DeferredStore, Receipt, Timestamp};

/// The difference between both clocks that counts as a suspension.
const SUSPENDED: Duration = Duration::from_secs(2);

/// For how long after a suspension nothing is claimed or swept: until the other processes have renewed their leases, which
/// they do at their next poll.
const HELD: Duration = Duration::from_secs(10);

/// The tries of this process that run, with their leases.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<Receipt, (ClaimToken, Duration)>>);

/// A try that runs. Dropping it removes the try.
pub(super) struct RunningTry<'a> {
    leases: &'a Leases,
    receipt: Receipt,
}

impl Leases {
    /// Adds a try, until the guard is dropped.
    pub(super) fn begin(&self, token: ClaimToken, lease: Duration) -> RunningTry<'_> {
        self.lock().insert(token.receipt, (token, lease));
        RunningTry { leases: self, receipt: token.receipt }
    }

    /// Renews all leases. If the store fails, they end, and the entries are tried once more.
    pub(super) async fn renew(&self, store: &Arc<dyn DeferredStore>, now: Timestamp) {
        let running: Vec<_> = self.lock().values().copied().collect();
        for (token, lease) in running {
            let _ = store.renew(token, lease, now).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Receipt, (ClaimToken, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningTry<'_> {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.receipt);
    }
}

/// Detects suspensions of the machine.
#[derive(Debug, Default)]
pub(super) struct Suspensions {
    /// Both clocks at the last poll.
    last: Option<(Timestamp, Instant)>,
    held_until: Option<Instant>,
}

impl Suspensions {
    /// Returns the time to wait after a suspension, until leases have been renewed.
    pub(super) fn wait(&mut self, now: Timestamp) -> Option<Duration> {
        let timer = Instant::now();
        if let Some((wall, began)) = self.last.replace((now, timer))
            && now.since(wall).saturating_sub(timer.duration_since(began)) > SUSPENDED
        {
            self.held_until = Some(timer + HELD);
        }
        let wait = self.held_until?.saturating_duration_since(timer);
        if wait.is_zero() {
            self.held_until = None;
        }
        (!wait.is_zero()).then_some(wait)
    }
}
