//! A snapshot of the counters of one tool.

use std::sync::Arc;

use resilient_policy::{ErrorKind, Source};

use super::is_failure;
use crate::error::TimeoutScope;
use crate::outcomes::{Outcome, Rejected, Suppressed};
use crate::statistics::attempts::AttemptSnapshot;
use crate::statistics::cache::CacheSnapshot;
use crate::statistics::failures::{ErrorCount, ErrorType};
use crate::statistics::histogram::HistogramSnapshot;

/// A snapshot of the counters of one tool.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// # use resilient_runtime::{Registry, ResilienceError, resilient};
/// # #[resilient(name = "snapshot")]
/// # async fn ask() -> Result<u32, ResilienceError> { Ok(1) }
/// # ask().await.unwrap();
/// let counted = Registry::global().function("snapshot").unwrap();
/// assert_eq!((counted.calls(), counted.attempts, counted.retries), (1, 1, 0));
/// assert_eq!(counted.last_outcome, Some(resilient_runtime::Outcome::Ok));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolSnapshot {
    /// The number of calls by outcome.
    pub outcomes: Vec<(Outcome, u64)>,
    /// The number of calls that are running, including those that wait.
    pub in_flight: u64,
    /// The number of calls that wait for a permit of a bulkhead.
    pub waiting: u64,
    /// The number of rejected attempts, by the guard that rejected them. This can exceed the number of calls with
    /// the outcome rejected: if the body has run before, the call ends with the outcome of its last attempt.
    pub rejected: Vec<(Rejected, u64)>,
    /// The number of times the body was run.
    pub attempts: u64,
    /// The number of attempts that were retries.
    pub retries: u64,
    /// The number of retries, by the kind of the error before them.
    pub retries_after: Vec<(ErrorKind, u64)>,
    /// The number of retries that were suppressed, by reason.
    pub suppressed: Vec<(Suppressed, u64)>,
    /// The number of timeouts, by scope: one attempt or the whole call.
    pub timeouts: Vec<(TimeoutScope, u64)>,
    /// The number of calls that a fallback answered, by source.
    pub fallbacks: Vec<(Source, u64)>,
    /// The number of calls that ran and ended with an error but are not failures: the caller made a mistake, or the
    /// error is the tool's response. Rejected calls are not included, since they did not run.
    pub excused: u64,
    /// The number of calls that ended with an error, by code. At most 64 codes are counted separately.
    pub errors: Vec<ErrorCount>,
    /// Durations of the calls that ended without an error, from the start to the response.
    pub good_durations: HistogramSnapshot,
    /// Durations of the calls that ended with an error, by the type of the error.
    pub failed_durations: Vec<(ErrorType, HistogramSnapshot)>,
    /// The number of consecutive failures. A call that a fallback answered counts as a failure. A caller's mistake,
    /// and a cancelled, rejected or deferred call neither count nor reset the number.
    pub consecutive_failures: u32,
    /// The time of the last failure, in milliseconds of [`Moment`]; 0 if there was none.
    pub(crate) last_failure_ms: u64,
    /// The outcome of the last call that says something about the tool.
    pub last_outcome: Option<Outcome>,
    /// Durations of the attempts, if no breaker counts them.
    pub own_attempts: Option<AttemptSnapshot>,
    /// The counters of the cache, if the function has one.
    pub cache: Option<CacheSnapshot>,
    /// The name under which clients call the tool, if it is counted under another one.
    pub served_as: Option<Arc<str>>,
}

impl ToolSnapshot {
    /// Returns whether the tool has this name, either for clients or as `counted_as`.
    pub(crate) fn is_called(&self, name: &str, counted_as: &str) -> bool {
        name == counted_as || self.served_as.as_deref() == Some(name)
    }

    /// Returns the number of calls with this outcome.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        of(&self.outcomes, outcome)
    }

    /// Returns the number of attempts that this guard rejected.
    #[must_use]
    pub fn rejected(&self, reason: Rejected) -> u64 {
        of(&self.rejected, reason)
    }

    /// Returns the number of retries suppressed for this reason.
    #[must_use]
    pub fn suppressed(&self, reason: Suppressed) -> u64 {
        of(&self.suppressed, reason)
    }

    /// Returns the number of calls that this fallback source answered.
    #[must_use]
    pub fn fallbacks(&self, source: Source) -> u64 {
        of(&self.fallbacks, source)
    }

    /// Returns the number of timeouts with this scope.
    #[must_use]
    pub fn timeouts(&self, scope: TimeoutScope) -> u64 {
        of(&self.timeouts, scope)
    }

    /// Returns the number of calls that ended.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.outcomes.iter().map(|(_, count)| count).sum()
    }

    /// Returns the number of calls that ran.
    pub(crate) fn ran(&self) -> u64 {
        self.calls().saturating_sub(Outcome::NOT_RUN.into_iter().map(|outcome| self.outcome(outcome)).sum())
    }

    /// Returns the number of calls that ran and failed, by an error, a timeout or a panic. Not included are callers'
    /// mistakes, cancelled, rejected and deferred calls, and calls that the tool or a fallback answered.
    #[must_use]
    pub fn failures(&self) -> u64 {
        let failed = self.outcomes.iter().filter(|(outcome, _)| is_failure(*outcome));
        failed.map(|(_, count)| count).sum::<u64>().saturating_sub(self.excused)
    }

    /// Returns the durations of all calls that ended, with or without an error.
    #[must_use]
    pub fn durations(&self) -> HistogramSnapshot {
        let mut all = self.good_durations.clone();
        self.failed_durations.iter().for_each(|(_, failed)| all.add(failed));
        all
    }
}

fn of<T: PartialEq + Copy>(counts: &[(T, u64)], wanted: T) -> u64 {
    counts.iter().find(|(each, _)| *each == wanted).map_or(0, |(_, count)| *count)
}
