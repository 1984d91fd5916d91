//! A breaker in plain code: a permit for one execution.

use tokio::time::Instant;

use super::{Breaker, Signal, Ticket, Took};
use crate::error::ResilienceError;

/// The right to ask a dependency once.
///
/// Report how the execution ended with [`success`](Self::success), [`failure`](Self::failure) or
/// [`neutral`](Self::neutral). A permit that is dropped is neutral too: it says nothing about the
/// dependency, and its place is free again. One that is held for longer than the breaker's open period while the breaker is
/// half-open is given up; what it says then is ignored.
///
/// ```
/// use resilient_runtime::{Breaker, BreakerSettings, ResilienceError};
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
    /// The dependency did what it should.
    pub fn success(self) {
        self.end(Signal::Success);
    }

    /// The dependency failed.
    pub fn failure(self) {
        self.end(Signal::Failure);
    }

    /// The execution says nothing about the dependency: the caller made a mistake, or the call was
    /// cancelled. It neither counts as a failure nor resets the count, and a probe's place is free
    /// again. Dropping the permit does the same; this says that it is on purpose.
    pub fn neutral(self) {
        self.end(Signal::Neutral);
    }

    fn end(mut self, signal: Signal) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.record(ticket, signal, Took::Time(self.started.elapsed()));
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.record(ticket, Signal::Neutral, Took::Nothing);
        }
    }
}

impl Breaker {
    /// Asks to run once.
    ///
    /// # Errors
    /// [`ResilienceError::CircuitOpen`] while the breaker is open, isolated, or half-open with all
    /// its probes running; it says when to ask again.
    pub fn try_acquire(&self) -> Result<Permit<'_>, ResilienceError> {
        let ticket = self.admit(|| None)?;
        Ok(Permit::new(self, ticket))
    }
}
