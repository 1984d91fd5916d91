//! What a sink still has to send. Outboxes read no clock and do no I/O.

use std::time::SystemTime;

use serde_json::Value;
use tokio::time::Instant;

use crate::alerting::Step;

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Send this body.
    Send(Value),
    /// Wait for another evaluation, or until this time.
    Wait(Option<Instant>),
}

/// What a sink still has to send, in bounded memory.
pub(super) trait Outbox: Send {
    /// Adds the result of an evaluation. Returns the number of changes that are lost, because there is no room for them.
    fn add(&mut self, step: &Step) -> u64;

    /// Returns what to send next. It stays in the outbox until [`sent`](Self::sent), or until [`failed`](Self::failed)
    /// gives it up.
    fn next(&mut self, now: Instant, at: SystemTime) -> Next;

    /// Removes what was sent at this time.
    fn sent(&mut self, now: Instant);

    /// Counts a try that failed. After `most_tries`, what was sent is given up, and the number of changes that are lost is
    /// returned. `None` if it is tried again.
    fn failed(&mut self, now: Instant, most_tries: Option<u32>) -> Option<u64>;

    /// Returns the number of changes that are not sent.
    fn unsent(&self) -> u64;
}

/// Counts a try that failed, and returns whether it was the last one. A try without a response is not one of those: the
/// receiver has not refused anything, and its refusals are counted from the next one on.
pub(super) fn is_last(failed: &mut u32, most_tries: Option<u32>) -> bool {
    let Some(most) = most_tries else {
        *failed = 0;
        return false;
    };
    *failed = failed.saturating_add(1);
    *failed >= most
}

#[cfg(test)]
mod tests;
