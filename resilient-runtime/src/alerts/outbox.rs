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

    /// Returns what to send next. It stays in the outbox until [`sent`](Self::sent) or [`refused`](Self::refused), so
    /// that calling this again tries it again.
    fn next(&mut self, now: Instant, at: SystemTime) -> Next;

    /// Removes what was sent at this time.
    fn sent(&mut self, now: Instant);

    /// Removes what the receiver does not accept. Returns the number of changes that are lost.
    fn refused(&mut self, now: Instant) -> u64;

    /// Returns the number of changes that are not sent.
    fn unsent(&self) -> u64;
}

#[cfg(test)]
mod tests;
