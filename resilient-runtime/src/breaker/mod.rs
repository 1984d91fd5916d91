//! Circuit breakers: stop asking a dependency that keeps failing, and notice when it is back.
//!
//! A breaker belongs to a dependency, not to a server or a tool: functions that name the same
//! breaker share it. Closed, it counts failures in a row, or takes the rate of failures, or of slow
//! calls, over a window. After `failures` of them, or at that rate, it opens and rejects calls for
//! the `open` period; then it is half-open and lets `probes` calls through at a time. `successes`
//! good ones close it, a single failure opens it again.
//!
//! A permit is given back whatever happens to its call: a permit that is dropped, because the
//! call was cancelled, is neutral. A result that comes back after the breaker has moved on
//! changes nothing. A probe that never comes back is given up when its lease is over.

mod core;
mod handle;
mod history;
mod keyed;
mod permit;
mod record;
mod series;
mod slow;
mod snapshot;
mod sync;
mod ticket;
mod window;

use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use resilient_policy::BreakerSettings;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

pub(crate) use self::core::Signal;
pub use self::core::State as BreakerState;
pub use handle::BreakerHandle;
pub use history::{Reason, Transition};
pub(crate) use keyed::KeyedBreakers;
pub use permit::Permit;
pub use series::BreakerSeries;
pub(crate) use slow::AttemptDuration;
pub use snapshot::BreakerSnapshot;
pub(crate) use ticket::Ticket;

use self::core::{Admission, Cells, Change, Limits, State};
use self::history::History;
use self::sync::{AtomicU64, Ordering};
use self::window::Results;
use crate::ResilienceError;
use crate::clock::{self, Moment};
use crate::error::CircuitState;
use crate::statistics::{AttemptStatistics, BreakerRecord};

/// A circuit breaker. It can sit in a `static`.
///
/// ```
/// use resilient_runtime::Breaker;
/// use resilient_runtime::breaker::BreakerState;
/// use resilient_runtime::policy::BreakerSettings;
///
/// static MAKE: Breaker = Breaker::new("make", BreakerSettings::new().failures(3));
/// assert_eq!(MAKE.state(), BreakerState::Closed);
/// ```
#[repr(C, align(64))]
pub struct Breaker {
    // In this order: what every call of the first threads reads is in one cache line.
    word: AtomicU64,
    timer: AtomicU64,
    /// Whatever it decides by: what those see who look.
    failures_in_a_row: AtomicU32,
    /// Whether the settings that hold want results to be kept.
    has_window: AtomicBool,
    attempts: AttemptStatistics,
    is_own: bool,
    declared: OnceLock<BreakerSettings>,
    /// What holds until somebody declares settings, if anybody may.
    otherwise: BreakerSettings,
    name: &'static str,
    results: Mutex<Results>,
    history: History,
    last_failure: AtomicU64,
    /// What wakes the calls that wait while it may change. Made by the first of them.
    changes: OnceLock<Arc<Notify>>,
}

impl Breaker {
    /// A closed breaker with these settings.
    #[must_use]
    pub const fn new(name: &'static str, settings: BreakerSettings) -> Self {
        Self::build(name, settings, true)
    }

    /// A closed breaker whose settings another place may still give.
    pub(crate) const fn undeclared(name: &'static str, otherwise: BreakerSettings) -> Self {
        Self::build(name, otherwise, false)
    }

    const fn build(name: &'static str, otherwise: BreakerSettings, is_own: bool) -> Self {
        Self {
            name,
            otherwise,
            is_own,
            declared: OnceLock::new(),
            word: AtomicU64::new(0),
            timer: AtomicU64::new(0),
            results: Mutex::new(Results::new()),
            history: History::new(),
            last_failure: AtomicU64::new(0),
            changes: OnceLock::new(),
            failures_in_a_row: AtomicU32::new(0),
            has_window: AtomicBool::new(otherwise.has_window()),
            attempts: AttemptStatistics::new(),
        }
    }

    /// The name: a label in metrics and a word in answers.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the effective settings.
    #[must_use]
    pub fn settings(&self) -> BreakerSettings {
        *self.held()
    }

    /// The same where they are: they are looked at for every call.
    pub(crate) fn held(&self) -> &BreakerSettings {
        self.declared.get().unwrap_or(&self.otherwise)
    }

    /// Gives the settings, unless they were given before.
    pub(crate) fn declare(&self, settings: BreakerSettings) {
        if !self.is_own && self.declared.set(settings).is_ok() {
            self.has_window.store(settings.has_window(), Ordering::Relaxed);
        }
    }

    /// Where it stands. An open breaker whose period is over is half-open from the next call on.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self::core::peek(self.cells()).0
    }

    /// The remaining time of the open period, or of the lease of the running probes.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let (limits, now) = (limits(self.held()), Moment::now().millis());
        self::core::remaining(self.cells(), limits, now).map(Duration::from_millis)
    }

    /// Opens it for one period.
    pub fn open(&self) {
        self.force(State::Open, Reason::Opened);
    }

    /// Closes it.
    pub fn close(&self) {
        self.force(State::Closed, Reason::Closed);
    }

    /// Rejects everything until [`close`](Self::close) or [`open`](Self::open) is called.
    pub fn isolate(&self) {
        self.force(State::Isolated, Reason::Isolated);
    }

    /// Asks to run once. A probe that gives no result within `lease` is given up.
    pub(crate) fn admit(&self, lease: impl FnOnce() -> Option<Duration>) -> Result<Ticket, ResilienceError> {
        if let Some(ticket) = self::core::admit_closed(self.cells()) {
            return Ok(ticket);
        }
        self.admit_otherwise(lease())
    }

    /// Asks where it is not closed.
    #[cold]
    fn admit_otherwise(&self, lease: Option<Duration>) -> Result<Ticket, ResilienceError> {
        let settings = self.held();
        let lease = clock::saturating_millis(lease.unwrap_or(settings.open));
        match self::core::admit(self.cells(), limits(settings), Moment::now().millis(), lease) {
            Admission::Granted(ticket, change) => {
                self.report(change, Reason::Probing);
                Ok(ticket)
            }
            Admission::Rejected(state, wait) => Err(self.rejected(state, wait)),
        }
    }

    /// Asks without being rejected: `None` where it is not allowed at present.
    pub(crate) fn admit_if_free(&self, lease: Duration) -> Option<Ticket> {
        let (limits, now) = (limits(self.held()), Moment::now().millis());
        match self::core::admit(self.cells(), limits, now, clock::saturating_millis(lease)) {
            Admission::Granted(ticket, change) => {
                self.report(change, Reason::Probing);
                Some(ticket)
            }
            Admission::Rejected(..) => None,
        }
    }

    /// Rejects a call that it had let through, because it has opened since.
    pub(crate) fn reject(&self) -> ResilienceError {
        self.rejected(self.state(), self.remaining().map(clock::saturating_millis))
    }

    fn rejected(&self, state: State, wait: Option<u64>) -> ResilienceError {
        self.attempts.recorded(BreakerRecord::Rejected);
        tracing::debug!(event = "breaker.rejected", breaker = self.name, retry_after_ms = wait);
        let state = match state {
            State::Isolated => CircuitState::Isolated,
            State::HalfOpen => CircuitState::Probing,
            State::Open | State::Closed => CircuitState::Open,
        };
        ResilienceError::CircuitOpen { breaker: self.name, state, retry_after: wait.map(Duration::from_millis) }
    }

    /// Rejects where it is isolated by hand, and asks nothing else.
    pub(crate) fn check_isolated(&self) -> Result<(), ResilienceError> {
        if self.state() == State::Isolated { Err(self.rejected(State::Isolated, None)) } else { Ok(()) }
    }

    /// The attempts that it let through, and the retries that all of its users may have together.
    pub(crate) const fn attempts(&self) -> &AttemptStatistics {
        &self.attempts
    }

    /// Completes at the next transition, or when a probe's place becomes free. Enable it before you look at the
    /// state.
    pub(crate) fn changed(&self) -> OwnedNotified {
        Arc::clone(self.changes.get_or_init(Arc::default)).notified_owned()
    }

    fn wake_those_who_wait(&self) {
        if let Some(changes) = self.changes.get() {
            changes.notify_waiters();
        }
    }

    /// Whether it is half-open and this is the ticket of one of its probes.
    pub(crate) fn is_probing_with(&self, ticket: Ticket) -> bool {
        self::core::is_probing_with(self.cells(), ticket)
    }

    /// Whether it has not moved on since it gave the ticket.
    pub(crate) fn is_current(&self, ticket: Ticket) -> bool {
        self::core::is_current(self.cells(), ticket)
    }

    /// Lets the lease of a probe run from now on.
    pub(crate) fn start_lease(&self, ticket: Ticket, lease: impl FnOnce() -> Duration) {
        // Around a lent ticket runs the attempt whose lease it is.
        if ticket.is_probe() && !ticket.is_lent() {
            let lease = clock::saturating_millis(lease());
            self::core::start_lease(self.cells(), ticket, Moment::now().millis(), lease);
        }
    }

    /// Whether it keeps results.
    pub(crate) fn has_window(&self) -> bool {
        self.has_window.load(Ordering::Relaxed)
    }

    /// Whether a call that comes after `delay` is sure to be rejected.
    pub(crate) fn rejects_after(&self, delay: Duration) -> bool {
        match self.state() {
            State::Isolated => true,
            State::Open => self.remaining().is_some_and(|left| left > delay),
            State::Closed | State::HalfOpen => false,
        }
    }

    /// Whether dropping it would lose nothing that decides about a call.
    fn is_pristine(&self) -> bool {
        let (state, count, _) = self::core::peek(self.cells());
        let has_bad_results = || self.window().is_some_and(|(_, failed, slow)| failed > 0 || slow > 0);
        state == State::Closed && count == 0 && !has_bad_results()
    }

    fn force(&self, to: State, reason: Reason) {
        if to == State::Closed {
            // Whoever closes it says that all is well.
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        }
        let change = self::core::force(self.cells(), limits(self.held()), to, Moment::now().millis());
        self.report(change, reason);
    }

    /// Keeps and logs a transition. Whoever made it tells it, after it is made and holding nothing.
    fn report(&self, change: Option<Change>, reason: Reason) {
        let Some(Change { from, to }) = change else { return };
        self.history.record(from, to, reason);
        self.wake_those_who_wait();
        let (from, to, reason) = (from.as_str(), to.as_str(), reason.as_str());
        if to == State::Open.as_str() {
            tracing::warn!(event = "breaker.transition", breaker = self.name, from, to, reason);
        } else {
            tracing::info!(event = "breaker.transition", breaker = self.name, from, to, reason);
        }
    }

    fn cells(&self) -> Cells<'_> {
        Cells { word: &self.word, timer: &self.timer }
    }
}

impl std::fmt::Debug for Breaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Breaker").field("name", &self.name).field("state", &self.state()).finish_non_exhaustive()
    }
}

impl BreakerState {
    /// The word used in logs, metrics and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
            Self::Isolated => "isolated",
        }
    }
}

fn limits(settings: &BreakerSettings) -> Limits {
    // What the rules refuse could only come from code that did not ask them; it must not make a
    // count that never matches.
    Limits {
        failures: settings.failures.clamp(1, 1023),
        probes: settings.probes.clamp(1, 1023),
        successes: settings.successes.clamp(1, 1023),
        open_ms: clock::saturating_millis(settings.open),
    }
}
