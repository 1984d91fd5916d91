//! Circuit breakers: reject calls to a dependency that keeps failing, and detect when it works again.
//!
//! A breaker belongs to a dependency, not to a server or a tool: functions that name the same breaker share it. A
//! closed breaker counts consecutive failures, or computes the rate of failures or of slow calls over a window. After
//! `failures` failures, or at that rate, it opens and rejects calls for the `open` period. Then it is half-open and
//! admits up to `probes` calls at a time. `successes` successful probes close it; a single failure opens it again.
//!
//! A permit is always returned: a permit that is dropped, because the call was cancelled, is neutral. A result that
//! arrives after the breaker has changed its state is ignored. A probe that returns no result expires with its lease.

mod core;
mod handle;
mod history;
mod keyed;
mod permit;
mod record;
#[cfg(feature = "replicas")]
mod replicated;
mod series;
mod slow;
mod snapshot;
mod state;
mod sync;
mod ticket;
mod timer;
mod window;
mod word;

use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use resilient_policy::BreakerSettings;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

pub(crate) use self::core::Signal;
pub use handle::BreakerHandle;
pub(crate) use handle::Held;
pub use history::{Reason, Transition};
pub(crate) use keyed::KeyedBreakers;
pub use permit::Permit;
pub use series::BreakerSeries;
pub(crate) use slow::AttemptDuration;
pub use snapshot::BreakerSnapshot;
pub use state::State as BreakerState;
pub(crate) use ticket::Ticket;

pub(crate) use self::core::Clean;
use self::core::{Admission, Cells, Change, Limits, State};
use self::history::History;
use self::sync::{AtomicU64, Ordering};
use self::window::Results;
use crate::ResilienceError;
use crate::adjusted::{Adjusted, Effective};
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
    // In this order, everything that a call of the first threads reads is in one cache line.
    word: AtomicU64,
    timer: AtomicU64,
    /// The number of consecutive failures, also if the settings use a rate. Shown in snapshots.
    failures_in_a_row: AtomicU32,
    /// Whether the effective settings have a window of results.
    has_window: AtomicBool,
    attempts: AttemptStatistics,
    is_own: bool,
    declared: OnceLock<BreakerSettings>,
    /// The settings until [`declare`](Self::declare) sets others.
    otherwise: BreakerSettings,
    adjusted: Adjusted<BreakerSettings>,
    name: &'static str,
    results: Mutex<Results>,
    history: History,
    last_failure: AtomicU64,
    /// Wakes the calls that wait for a change. Created by the first of them.
    changes: OnceLock<Arc<Notify>>,
    #[cfg(feature = "replicas")]
    openings: replicated::Openings,
}

impl Breaker {
    /// Creates a closed breaker with these settings.
    #[must_use]
    pub const fn new(name: &'static str, settings: BreakerSettings) -> Self {
        Self::build(name, settings, true)
    }

    /// Creates a closed breaker whose settings may still be declared.
    pub(crate) const fn undeclared(name: &'static str, otherwise: BreakerSettings) -> Self {
        Self::build(name, otherwise, false)
    }

    const fn build(name: &'static str, otherwise: BreakerSettings, is_own: bool) -> Self {
        Self {
            name,
            otherwise,
            is_own,
            declared: OnceLock::new(),
            adjusted: Adjusted::new(),
            word: AtomicU64::new(0),
            timer: AtomicU64::new(0),
            results: Mutex::new(Results::new()),
            history: History::new(),
            last_failure: AtomicU64::new(0),
            changes: OnceLock::new(),
            failures_in_a_row: AtomicU32::new(0),
            has_window: AtomicBool::new(otherwise.has_window()),
            attempts: AttemptStatistics::new(),
            #[cfg(feature = "replicas")]
            openings: replicated::Openings::new(),
        }
    }

    /// Returns the name: a label in metrics and a word in responses.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the effective settings.
    #[must_use]
    pub fn settings(&self) -> BreakerSettings {
        *self.held()
    }

    /// Returns the effective settings without a copy, because many calls read them.
    #[inline]
    pub(crate) fn held(&self) -> Effective<'_, BreakerSettings> {
        self.adjusted.over(self.declared.get().unwrap_or(&self.otherwise))
    }

    /// Sets the settings, unless they are already set.
    pub(crate) fn declare(&self, settings: BreakerSettings) {
        if !self.is_own && self.declared.set(settings).is_ok() {
            self.has_window.store(settings.has_window(), Ordering::Relaxed);
        }
    }

    /// Replaces the settings while calls use the breaker. Its state, clock and statistics stay. If the window or what
    /// counts as slow is another one, the window starts empty, since its results were counted otherwise.
    #[cfg(feature = "config")]
    pub(crate) fn adjust(&self, settings: BreakerSettings) {
        // Under this lock, which each change of the window takes, so that no result is counted by the old settings.
        let mut results = self.results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = self.settings();
        self.adjusted.set(settings);
        self.has_window.store(settings.has_window(), Ordering::Relaxed);
        if (before.window, before.slow) != (settings.window, settings.slow) {
            results.restart();
        }
    }

    /// Returns the state. An open breaker whose period is over becomes half-open at the next call.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self::core::peek(self.cells()).0
    }

    /// Returns the remaining time of the open period, or of the lease of the running probes.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let (limits, now) = (limits(&self.held()), Moment::now().millis());
        self::core::remaining(self.cells(), limits, now).map(Duration::from_millis)
    }

    /// Opens the breaker for one period.
    pub fn open(&self) {
        self.force(State::Open, Reason::Opened);
    }

    /// Closes the breaker.
    pub fn close(&self) {
        self.force(State::Closed, Reason::Closed);
    }

    /// Rejects all calls until [`close`](Self::close) or [`open`](Self::open) is called.
    pub fn isolate(&self) {
        self.force(State::Isolated, Reason::Isolated);
    }

    /// Requests a ticket for one execution. A probe without a result expires after `lease`.
    pub(crate) fn admit(&self, lease: impl FnOnce() -> Option<Duration>) -> Result<Ticket, ResilienceError> {
        if let Some(ticket) = self::core::admit_closed(self.cells()) {
            return Ok(ticket);
        }
        self.admit_otherwise(lease())
    }

    /// Returns the state of the breaker if it is closed and has counted no failures. Then it admits every call.
    #[inline]
    pub(crate) fn clean(&self) -> Option<Clean> {
        self::core::clean(self.cells())
    }

    /// Returns the error of a call that the breaker is certain to reject now. Nothing is granted and nothing counted.
    pub(crate) fn rejection(&self, now: Moment, lease: impl Fn() -> Duration) -> Option<ResilienceError> {
        let lease = || clock::saturating_millis(lease());
        let (state, wait) = self::core::rejection(self.cells(), limits(&self.held()), now.millis(), lease)?;
        Some(self.rejection_with(state, wait))
    }

    /// Requests a ticket if the breaker is not closed.
    #[cold]
    fn admit_otherwise(&self, lease: Option<Duration>) -> Result<Ticket, ResilienceError> {
        let settings = self.held();
        let lease = clock::saturating_millis(lease.unwrap_or(settings.open));
        match self::core::admit(self.cells(), limits(&settings), Moment::now().millis(), lease) {
            Admission::Granted(ticket, change) => Ok(self.report_admission(ticket, change)),
            Admission::Rejected(state, wait) => Err(self.rejected(state, wait)),
        }
    }

    /// Reports the transition that an admission caused. If the subscriber panics, the permit is given back.
    fn report_admission(&self, ticket: Ticket, change: Option<Change>) -> Ticket {
        let mut permit = Permit::new(self, ticket);
        self.report(change, Reason::Probing);
        permit.ticket.take();
        ticket
    }

    /// Requests a ticket without counting a rejection: returns `None` if there is none at present.
    pub(crate) fn admit_if_free(&self, lease: Duration) -> Option<Ticket> {
        let (limits, now) = (limits(&self.held()), Moment::now().millis());
        match self::core::admit(self.cells(), limits, now, clock::saturating_millis(lease)) {
            Admission::Granted(ticket, change) => Some(self.report_admission(ticket, change)),
            Admission::Rejected(..) => None,
        }
    }

    /// Rejects a call that was admitted, because the breaker has opened since.
    pub(crate) fn reject(&self) -> ResilienceError {
        self.rejected(self.state(), self.remaining().map(clock::saturating_millis))
    }

    fn rejected(&self, state: State, wait: Option<u64>) -> ResilienceError {
        self.attempts.recorded(BreakerRecord::Rejected);
        self.rejection_with(state, wait)
    }

    fn rejection_with(&self, state: State, wait: Option<u64>) -> ResilienceError {
        tracing::debug!(event = "breaker.rejected", breaker = self.name, retry_after_ms = wait);
        let state = match state {
            State::Isolated => CircuitState::Isolated,
            State::HalfOpen => CircuitState::Probing,
            State::Open | State::Closed => CircuitState::Open,
        };
        ResilienceError::CircuitOpen { breaker: self.name, state, retry_after: wait.map(Duration::from_millis) }
    }

    /// Rejects the call if the breaker is isolated, and checks nothing else.
    pub(crate) fn check_isolated(&self) -> Result<(), ResilienceError> {
        if self.state() == State::Isolated { Err(self.rejected(State::Isolated, None)) } else { Ok(()) }
    }

    /// Returns the statistics of the admitted attempts, and the retry budget that all users of the breaker share.
    pub(crate) const fn attempts(&self) -> &AttemptStatistics {
        &self.attempts
    }

    /// Completes at the next transition, or when a probe ends. Enable it before you check the state.
    pub(crate) fn changed(&self) -> OwnedNotified {
        Arc::clone(self.changes.get_or_init(Arc::default)).notified_owned()
    }

    fn wake_those_who_wait(&self) {
        if let Some(changes) = self.changes.get() {
            changes.notify_waiters();
        }
    }

    /// Returns whether the breaker is half-open and this is the ticket of one of its probes.
    pub(crate) fn is_probing_with(&self, ticket: Ticket) -> bool {
        self::core::is_probing_with(self.cells(), ticket)
    }

    /// Returns whether the breaker is still in the generation of the ticket.
    pub(crate) fn is_current(&self, ticket: Ticket) -> bool {
        self::core::is_current(self.cells(), ticket)
    }

    /// Restarts the lease of a probe.
    pub(crate) fn start_lease(&self, ticket: Ticket, lease: impl FnOnce() -> Duration) {
        // The lease of a lent ticket belongs to the attempt that lends it.
        if ticket.is_probe() && !ticket.is_lent() {
            let lease = clock::saturating_millis(lease());
            self::core::start_lease(self.cells(), ticket, Moment::now().millis(), lease);
        }
    }

    /// Returns whether the breaker has a window of results.
    pub(crate) fn has_window(&self) -> bool {
        self.has_window.load(Ordering::Relaxed)
    }

    /// Returns whether a call after `delay` is certain to be rejected.
    pub(crate) fn rejects_after(&self, delay: Duration) -> bool {
        match self.state() {
            State::Isolated => true,
            State::Open => self.remaining().is_some_and(|left| left > delay),
            State::Closed | State::HalfOpen => false,
        }
    }

    /// Returns whether the breaker has no state that affects a call, so that it can be dropped.
    fn is_pristine(&self) -> bool {
        let (state, count, _) = self::core::peek(self.cells());
        let has_bad_results = || self.window().is_some_and(|(_, failed, slow)| failed > 0 || slow > 0);
        let is_clean = count == 0 && !self::core::is_armed(self.cells());
        state == State::Closed && is_clean && !has_bad_results()
    }

    fn force(&self, to: State, reason: Reason) {
        if to == State::Closed {
            // Closing by hand declares the dependency healthy.
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        }
        let change = self::core::force(self.cells(), limits(&self.held()), to, Moment::now().millis());
        self.report(change, reason);
    }

    /// Stores and logs a transition. Called by the thread that made it, after the change and without a lock.
    fn report(&self, change: Option<Change>, reason: Reason) {
        let Some(Change { from, to, .. }) = change else { return };
        self.history.record(from, to, reason);
        #[cfg(feature = "replicas")]
        self.note_opening(from, to, reason);
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

fn limits(settings: &BreakerSettings) -> Limits {
    // Settings that were not checked by the rules may be out of range, which would make a count that never matches.
    Limits {
        failures: settings.failures.clamp(1, 1023),
        probes: settings.probes.clamp(1, 1023),
        successes: settings.successes.clamp(1, 1023),
        open_ms: clock::saturating_millis(settings.open),
    }
}
