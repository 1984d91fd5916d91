//! Withdraws entries whose callers left or received an error.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resilient_runtime::deferred::{Receipt, StoreError, StoreErrorKind};
use tokio::runtime::Handle;

use super::client::{Client, attempt};
use super::transitions::withdraw_or_refuse;

/// The maximum number of entries that wait for their withdrawal while Redis is away.
const MOST: usize = 10_000;

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_secs(1);

/// The maximum number of attempts for an entry that cannot be read.
const MOST_ATTEMPTS: u32 = 5;

/// The entries to withdraw. A task withdraws them one by one, and ends when there are none.
///
/// The task tries again while Redis cannot be reached, because a put whose response was lost may have happened, and
/// would be delivered although its caller received an error.
#[derive(Debug, Default)]
pub(super) struct Withdrawals(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Waits>,
    is_running: bool,
}

/// An entry to withdraw.
#[derive(Debug)]
struct Waits {
    receipt: Receipt,
    /// How often it could not be read.
    attempts: u32,
}

impl Withdrawals {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Withdraws an entry, soon.
    pub(super) fn add(self: &Arc<Self>, client: &Arc<Client>, runtime: &Handle, receipt: Receipt) {
        let mut waiting = self.lock();
        // The oldest one is the one that most likely was not stored.
        let lost = if waiting.entries.len() >= MOST { waiting.entries.pop_front() } else { None };
        waiting.entries.push_back(Waits { receipt, attempts: 0 });
        let was_running = std::mem::replace(&mut waiting.is_running, true);
        drop(waiting);
        if let Some(lost) = lost {
            log_failure(lost.receipt, None);
        }
        if !was_running {
            // Not with the lock: a runtime that ends drops the task in here, which needs it.
            runtime.spawn(run(Running(Arc::clone(self)), Arc::clone(client)));
        }
    }

    /// Returns the next entry, or `None` if the task has to end.
    fn next(&self) -> Option<Waits> {
        let mut waiting = self.lock();
        let next = waiting.entries.pop_front();
        waiting.is_running = next.is_some();
        next
    }
}

/// Lets another task begin if this one is dropped with its runtime.
struct Running(Arc<Withdrawals>);

impl Drop for Running {
    fn drop(&mut self) {
        // After the regular end, another task may run already; two tasks do no harm.
        self.0.lock().is_running = false;
    }
}

async fn run(running: Running, client: Arc<Client>) {
    let mut was_logged = false;
    while let Some(Waits { receipt, mut attempts }) = running.0.next() {
        match withdraw_one(&client, receipt).await {
            Ok(true) => was_logged = false,
            Ok(false) => {
                was_logged = false;
                tracing::debug!(receipt = receipt.short(), "not stored, or a second call has the receipt");
            }
            Err(error) => {
                attempts += u32::from(error.kind() == StoreErrorKind::Corrupt);
                let is_last = attempts >= MOST_ATTEMPTS;
                if is_last || !was_logged {
                    log_failure(receipt, Some(&error));
                    was_logged = true;
                }
                if !is_last {
                    // At the end, so that it delays no other one.
                    running.0.lock().entries.push_back(Waits { receipt, attempts });
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn withdraw_one(client: &Client, receipt: Receipt) -> Result<bool, StoreError> {
    attempt!(client, |client, identity| withdraw_or_refuse(client, identity, receipt).await).await
}

/// Emits the event for an entry that may be delivered although its caller left.
fn log_failure(receipt: Receipt, error: Option<&StoreError>) {
    let (receipt, operation) = (receipt.short(), "withdraw");
    let kind = error.map_or(StoreErrorKind::Full, StoreError::kind).as_str();
    let error = error.map_or_else(|| "too many entries wait for their withdrawal".to_owned(), ToString::to_string);
    tracing::error!(event = "deferred.store_failed", operation, receipt, kind, error);
}
