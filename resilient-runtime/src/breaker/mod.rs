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
mod history;
mod keyed;
mod permit;
mod series;
mod snapshot;
mod sync;
mod window;

use std::sync::atomic::AtomicU32;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use resilient_policy::BreakerSettings;
use tokio::time::Instant;

pub use self::core::State as BreakerState;
pub(crate) use self::core::{Signal, Ticket};
pub use history::{Reason, Transition};
pub(crate) use keyed::KeyedBreakers;
pub use permit::Permit;
pub use series::BreakerSeries;
pub use snapshot::BreakerSnapshot;

use self::core::{Admission, Cells, Change, Limits, Recorded, State};
use self::history::History;
use self::sync::{AtomicU64, Ordering};
use self::window::{Place, Results, Sample};
use crate::ResilienceError;
use crate::clock;
use crate::retry::Budget;
use crate::statistics::AttemptStatistics;
use crate::statistics::sharded::Sharded;

const SUCCESSES: usize = 0;
const FAILURES: usize = 1;
const NEUTRAL: usize = 2;
const REJECTED: usize = 3;
const STALE: usize = 4;

/// A circuit breaker. It can sit in a `static`.
///
/// ```
/// use resilient_runtime::{Breaker, BreakerSettings, BreakerState};
///
/// static MAKE: Breaker = Breaker::new("make", BreakerSettings::new().failures(3));
/// assert_eq!(MAKE.state(), BreakerState::Closed);
/// ```
pub struct Breaker {
    name: &'static str,
    /// What holds until somebody declares settings, if anybody may.
    otherwise: BreakerSettings,
    is_own: bool,
    declared: OnceLock<BreakerSettings>,
    word: AtomicU64,
    timer: AtomicU64,
    counts: Sharded<5>,
    results: Mutex<Results>,
    history: History,
    last_failure: AtomicU64,
    /// Whatever it decides by: what those see who look.
    failures_in_a_row: AtomicU32,
    budget: Budget,
    attempts: AttemptStatistics,
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
            counts: Sharded::new(),
            results: Mutex::new(Results::new()),
            history: History::new(),
            last_failure: AtomicU64::new(0),
            failures_in_a_row: AtomicU32::new(0),
            budget: Budget::new(),
            attempts: AttemptStatistics::new(),
        }
    }

    /// The name: a label in metrics and a word in answers.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The settings that hold.
    #[must_use]
    pub fn settings(&self) -> BreakerSettings {
        self.declared.get().copied().unwrap_or(self.otherwise)
    }

    /// Gives the settings, unless they were given before.
    pub(crate) fn declare(&self, settings: BreakerSettings) {
        if !self.is_own {
            let _ = self.declared.set(settings);
        }
    }

    /// Where it stands. An open breaker whose period is over is half-open from the next call on.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self::core::peek(self.cells()).0
    }

    /// What is left of the open period, or of the lease of the probes that are running.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let (limits, now) = (limits(self.settings()), clock::millis(Instant::now()));
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
    pub(crate) fn admit(&self, lease: Option<Duration>) -> Result<Ticket, ResilienceError> {
        if let Some(ticket) = self::core::admit_closed(self.cells()) {
            return Ok(ticket);
        }
        let settings = self.settings();
        let lease = clock::saturating_millis(lease.unwrap_or(settings.open));
        match self::core::admit(self.cells(), limits(settings), clock::millis(Instant::now()), lease) {
            Admission::Granted(ticket, change) => {
                self.tell(change, Reason::Probing);
                Ok(ticket)
            }
            Admission::Rejected(wait) => {
                self.counts.add(REJECTED, 1);
                let retry_after = wait.map(Duration::from_millis);
                tracing::debug!(event = "breaker.rejected", breaker = self.name, retry_after_ms = wait);
                Err(ResilienceError::CircuitOpen { breaker: self.name, retry_after })
            }
        }
    }

    /// How long the attempts took that it let through.
    pub(crate) const fn attempts(&self) -> &AttemptStatistics {
        &self.attempts
    }

    /// Lets the lease of a probe run from now on.
    pub(crate) fn start_lease(&self, ticket: Ticket, lease: Duration) {
        if ticket.probe {
            let lease = clock::saturating_millis(lease);
            self::core::start_lease(self.cells(), ticket, clock::millis(Instant::now()), lease);
        }
    }

    /// Gives a ticket back with what became of the execution, which took that long.
    pub(crate) fn record(&self, ticket: Ticket, signal: Signal, took: Took) {
        self.counts.add(
            match signal {
                Signal::Success => SUCCESSES,
                Signal::Failure => FAILURES,
                Signal::Neutral => NEUTRAL,
            },
            1,
        );
        match signal {
            Signal::Failure => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.last_failure.store(clock::saturating_millis(now), Ordering::Relaxed);
                let more = |known: u32| Some(known.saturating_add(1));
                let _ = self.failures_in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            }
            // While all is well nothing is written, which other threads would have to hear of.
            Signal::Success if self.failures_in_a_row.load(Ordering::Relaxed) > 0 => {
                self.failures_in_a_row.store(0, Ordering::Relaxed);
            }
            Signal::Success | Signal::Neutral => {}
        }
        let settings = self.settings();
        if !settings.has_window() && signal == Signal::Success && self::core::is_closed_and_clean(self.cells(), ticket)
        {
            return;
        }
        let now = clock::millis(Instant::now());
        let slow = took.is_slow(&settings);
        if settings.has_window() && signal != Signal::Neutral && self.is_closed_in(ticket) {
            let sample = Sample { failed: signal == Signal::Failure, slow };
            let tripped = self.look_at_window(&settings, ticket, now, |results| match took {
                Took::KnownToBeSlow(place) => {
                    results.end_slow(ticket.generation, settings.window, place, sample.failed, now)
                }
                Took::Time(_) | Took::Nothing => results.add(ticket.generation, settings.window, sample, now),
            });
            if tripped || settings.rate.is_some() {
                return;
            }
        }
        // A probe that is slow shows that the dependency is not well.
        let (signal, reason) = match signal {
            Signal::Success if slow && ticket.probe => (Signal::Failure, Reason::Slow),
            Signal::Failure => (Signal::Failure, Reason::Failures),
            other => (other, Reason::Recovered),
        };
        match self::core::record(self.cells(), limits(settings), ticket, signal, now) {
            Recorded::Counted(change) => self.tell(change, reason),
            Recorded::Stale => self.counts.add(STALE, 1),
        }
    }

    /// Takes note that an execution that is still running has become slow: a dependency that hangs
    /// must not look well until its callers give up. Told at most once of a ticket; what it returns
    /// is what took the time when the ticket is given back.
    pub(crate) fn note_slow(&self, ticket: Ticket) -> Took {
        let settings = self.settings();
        let mut place = None;
        if settings.slow.is_some() && self.is_closed_in(ticket) {
            let now = clock::millis(Instant::now());
            let sample = Sample { failed: false, slow: true };
            self.look_at_window(&settings, ticket, now, |results| {
                let totals = results.add(ticket.generation, settings.window, sample, now);
                place = results.newest();
                totals
            });
        }
        Took::KnownToBeSlow(place)
    }

    fn is_closed_in(&self, ticket: Ticket) -> bool {
        self::core::closed_generation(self.cells()) == Some(ticket.generation)
    }

    /// Changes the window, and opens the breaker if a rate is reached by that.
    fn look_at_window(
        &self,
        settings: &BreakerSettings,
        ticket: Ticket,
        now: u64,
        change: impl FnOnce(&mut Results) -> window::Totals,
    ) -> bool {
        let totals = change(&mut self.results.lock().unwrap_or_else(PoisonError::into_inner));
        let trips = totals.trips(settings);
        if trips {
            let change = self::core::trip(self.cells(), limits(*settings), ticket.generation, now);
            let is_failing =
                settings.rate.is_some_and(|rate| f64::from(totals.failed) / f64::from(totals.calls) >= rate);
            self.tell(change, if is_failing { Reason::Failures } else { Reason::Slow });
        }
        trips
    }

    /// Whether a call that comes after `delay` is sure to be rejected.
    pub(crate) fn rejects_after(&self, delay: Duration) -> bool {
        match self.state() {
            State::Isolated => true,
            State::Open => self.remaining().is_some_and(|left| left > delay),
            State::Closed | State::HalfOpen => false,
        }
    }

    /// The budget of retries of everybody who uses this breaker.
    pub(crate) const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether dropping it would lose nothing that decides about a call.
    fn has_nothing_to_remember(&self) -> bool {
        let (state, count, _) = self::core::peek(self.cells());
        let has_bad_results = || self.window().is_some_and(|(_, failed, slow)| failed > 0 || slow > 0);
        state == State::Closed && count == 0 && !has_bad_results()
    }

    fn force(&self, to: State, reason: Reason) {
        if to == State::Closed {
            // Whoever closes it says that all is well.
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        }
        let change = self::core::force(self.cells(), limits(self.settings()), to, clock::millis(Instant::now()));
        self.tell(change, reason);
    }

    /// Keeps and logs a transition. Whoever made it tells it, after it is made and holding nothing.
    fn tell(&self, change: Option<Change>, reason: Reason) {
        let Some(Change { from, to }) = change else { return };
        self.history.keep(from, to, reason);
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

/// How long an execution took, as far as that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Took {
    /// That long.
    Time(Duration),
    /// Long enough that [`Breaker::note_slow`] was told of it, which may have put it in a window.
    KnownToBeSlow(Option<Place>),
    /// It did not begin.
    Nothing,
}

impl Took {
    fn is_slow(self, settings: &BreakerSettings) -> bool {
        match (self, settings.slow) {
            (Self::Time(took), Some(slow)) => took >= slow,
            (Self::KnownToBeSlow(_), _) => true,
            (Self::Time(_) | Self::Nothing, _) => false,
        }
    }
}

fn limits(settings: BreakerSettings) -> Limits {
    // What the rules refuse could only come from code that did not ask them; it must not make a
    // count that never matches.
    Limits {
        failures: settings.failures.clamp(1, 1023),
        probes: settings.probes.clamp(1, 1023),
        successes: settings.successes.clamp(1, 1023),
        open_ms: clock::saturating_millis(settings.open),
    }
}
