//! The use of a breaker in plain code: a permit for one execution, and a method that guards a future.

use tokio::time::Instant;

use super::{AttemptDuration, Breaker, Signal, Ticket};
use crate::error::ResilienceError;

/// A permit for one execution.
///
/// Report how the execution ended with [`success`](Self::success), [`failure`](Self::failure) or
/// [`neutral`](Self::neutral). Dropping a permit is neutral too: it says nothing about the dependency and allows
/// another probe. While the breaker is half-open, a permit that is held for longer than the breaker's open period
/// expires, and its result is ignored.
///
/// ```
/// use resilient_runtime::{Breaker, ResilienceError};
/// use resilient_runtime::policy::BreakerSettings;
///
/// let shop = Breaker::new("shop", BreakerSettings::new().failures(2));
/// shop.try_acquire()?.failure();
/// shop.try_acquire()?.neutral(); // a caller's mistake, for example
/// shop.try_acquire()?.failure();
/// assert!(matches!(shop.try_acquire(), Err(ResilienceError::CircuitOpen { breaker: "shop", .. })));
/// # Ok::<_, ResilienceError>(())
/// ```
#[derive(Debug)]
#[must_use = "a permit that is dropped at once is of no use"]
pub struct Permit<'b> {
    breaker: &'b Breaker,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) started: Instant,
}

impl<'b> Permit<'b> {
    pub(crate) fn new(breaker: &'b Breaker, ticket: Ticket) -> Self {
        Self { breaker, ticket: Some(ticket), started: Instant::now() }
    }
}

impl Permit<'_> {
    /// Reports that the dependency worked.
    pub fn success(self) {
        self.end(Signal::Success);
    }

    /// Reports that the dependency failed.
    pub fn failure(self) {
        self.end(Signal::Failure);
    }

    /// Reports that the execution says nothing about the dependency: the caller made a mistake, or the call was
    /// cancelled. It neither counts as a failure nor resets the count, and allows another probe. Dropping the permit
    /// does the same, but this is explicit.
    pub fn neutral(self) {
        self.end(Signal::Neutral);
    }

    fn end(mut self, signal: Signal) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.record(ticket, signal, AttemptDuration::Time(self.started.elapsed()));
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.record(ticket, Signal::Neutral, AttemptDuration::Unknown);
        }
    }
}

impl Breaker {
    /// Requests a permit for one execution.
    ///
    /// # Errors
    /// [`ResilienceError::CircuitOpen`] while the breaker is open, isolated, or half-open with all its probes running.
    /// The error includes the time after which to try again.
    pub fn try_acquire(&self) -> Result<Permit<'_>, ResilienceError> {
        let ticket = self.admit(|| None)?;
        Ok(Permit::new(self, ticket))
    }
}
