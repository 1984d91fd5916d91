//! The counters of one tool, or of one guarded function that is none.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use resilient_policy::{ErrorKind, Fault, Severity, Source};

use super::attempts::{AttemptSnapshot, AttemptStatistics};
use super::failures::{ErrorCount, ErrorType, Failures};
use super::histogram::{self, HistogramSnapshot};
use super::sharded::Sharded;
use crate::clock::{Moment, saturating_micros};
use crate::error::TimeoutScope;
use crate::outcomes::{Outcome, Rejected, Suppressed};

// What nearly every call changes is in one cache line.
const STARTED: usize = 0;
const ATTEMPTS: usize = STARTED + 1;
const OK: usize = ATTEMPTS + 1;
/// How long calls took that were no error.
const DURATIONS: usize = OK + 1;
/// The other outcomes, from the second on.
const OUTCOMES: usize = DURATIONS + histogram::COUNTERS - 1;
const RETRIES: usize = OUTCOMES + Outcome::ALL.len();
const SUPPRESSED: usize = RETRIES + ErrorKind::ALL.len();
const REJECTED: usize = SUPPRESSED + Suppressed::ALL.len();
const QUEUED: usize = REJECTED + Rejected::ALL.len();
const UNQUEUED: usize = QUEUED + 1;
const TIMEOUTS: usize = UNQUEUED + 1;
const FALLBACKS: usize = TIMEOUTS + TimeoutScope::ALL.len();
const EXCUSED: usize = FALLBACKS + Source::ALL.len();
const SLOTS: usize = EXCUSED + 1;

/// The counters of one tool. In this order: what every call of the first threads reads is in one cache line.
#[repr(C, align(64))]
pub(crate) struct ToolStatistics {
    /// Calls in a row that did not get what they were for.
    failures_in_a_row: AtomicU32,
    /// How the last call ended, from 1; 0 where none has.
    last_outcome: AtomicU8,
    counts: Sharded<SLOTS>,
    /// When the last failure was, on our own clock.
    last_failure_ms: AtomicU64,
    failures: Failures,
    /// Of a function without a breaker, which counts the attempts of all its users.
    attempts: OnceLock<Box<AttemptStatistics>>,
    /// The name under which clients call it, where it is counted under another one.
    served_as: OnceLock<Arc<str>>,
}

impl std::fmt::Debug for ToolStatistics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ToolStatistics").field(&self.read()).finish()
    }
}

impl ToolStatistics {
    pub(crate) const fn new() -> Self {
        Self {
            counts: Sharded::new(),
            failures: Failures::new(),
            failures_in_a_row: AtomicU32::new(0),
            last_failure_ms: AtomicU64::new(0),
            last_outcome: AtomicU8::new(0),
            attempts: OnceLock::new(),
            served_as: OnceLock::new(),
        }
    }

    /// Says under which name clients call it, which is not that under which it is counted.
    #[cfg(feature = "rmcp")]
    pub(crate) fn is_served_as(&self, tool: &Arc<str>) {
        let _ = self.served_as.set(Arc::clone(tool));
    }

    /// Its attempts, for a function without a breaker.
    pub(crate) fn own_attempts(&self) -> &AttemptStatistics {
        self.attempts.get_or_init(|| Box::new(AttemptStatistics::new()))
    }

    pub(crate) fn call_started(&self) {
        self.counts.add(STARTED, 1);
    }

    /// A call that had started is counted elsewhere after all.
    pub(crate) fn call_withdrawn(&self) {
        self.counts.add(STARTED, u64::MAX);
    }

    /// A call ended well after so many microseconds, as nearly every one does.
    pub(crate) fn call_succeeded(&self, micros: u64) {
        self.note_health(Outcome::Ok, None);
        let counts = self.counts.mine();
        counts.record(DURATIONS, micros);
        counts.add(OK, 1);
    }

    /// `fault`: whose it was that the call failed, where that is known. `took`: its duration, but for a
    /// call that is part of another operation. Says under which type the error is counted.
    pub(crate) fn call_ended(
        &self,
        outcome: Outcome,
        fault: Option<Fault>,
        error: Option<ErrorType>,
        took: Option<Duration>,
    ) -> Option<ErrorType> {
        self.note_health(outcome, fault);
        let counted = match (took, error) {
            (None, _) => None,
            (Some(took), None) => {
                self.counts.mine().record(DURATIONS, saturating_micros(took));
                None
            }
            (Some(took), Some(error)) => {
                let (counted, durations) = self.failures.durations_of(error);
                durations.record(took);
                Some(counted)
            }
        };
        if is_failure(outcome) && matches!(fault, Some(Fault::Caller | Fault::Nobody)) {
            self.counts.add(EXCUSED, 1);
        }
        self.counts.add(of_outcome(outcome), 1);
        counted
    }

    /// Counts failures in a row. A caller's mistake, a cancelled call and a call that a guard rejected say nothing
    /// about the tool.
    fn note_health(&self, outcome: Outcome, fault: Option<Fault>) {
        if matches!(outcome, Outcome::Cancelled | Outcome::Rejected)
            || matches!(fault, Some(Fault::Caller | Fault::Nobody))
        {
            return;
        }
        if outcome == Outcome::Ok {
            // While all is well nothing is written, which other threads would have to hear of.
            if self.failures_in_a_row.load(Ordering::Relaxed) > 0 {
                self.failures_in_a_row.store(0, Ordering::Relaxed);
            }
        } else {
            self.last_failure_ms.store(Moment::now().millis(), Ordering::Relaxed);
            let more = |known: u32| Some(known.saturating_add(1));
            let _ = self.failures_in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
        let last = outcome as u8 + 1;
        if self.last_outcome.load(Ordering::Relaxed) != last {
            self.last_outcome.store(last, Ordering::Relaxed);
        }
    }

    /// The call ended with this error; says under which code it is counted.
    pub(crate) fn failed(&self, code: &str, kind: ErrorKind, severity: Severity) -> Arc<str> {
        self.failures.count(code, kind, severity)
    }

    pub(crate) fn attempt_started(&self) {
        self.counts.add(ATTEMPTS, 1);
    }

    /// Another attempt is made after an error of this kind.
    pub(crate) fn retried(&self, after: ErrorKind) {
        self.counts.add(RETRIES + after as usize, 1);
    }

    pub(crate) fn retry_suppressed(&self, reason: Suppressed) {
        self.counts.add(SUPPRESSED + reason as usize, 1);
    }

    pub(crate) fn rejected(&self, reason: Rejected) {
        self.counts.add(REJECTED + reason as usize, 1);
    }

    pub(crate) fn timed_out(&self, scope: TimeoutScope) {
        self.counts.add(TIMEOUTS + scope as usize, 1);
    }

    pub(crate) fn fell_back(&self, source: Source) {
        self.counts.add(FALLBACKS + source as usize, 1);
    }

    pub(crate) fn queued(&self) {
        self.counts.add(QUEUED, 1);
    }

    pub(crate) fn unqueued(&self) {
        self.counts.add(UNQUEUED, 1);
    }

    pub(crate) fn read(&self) -> ToolSnapshot {
        // Ends before starts: a call that ends in between must not look like one that never began.
        let outcomes = Outcome::ALL.map(|outcome| (outcome, self.counts.sum(of_outcome(outcome))));
        let started = self.counts.sum(STARTED);
        let ended: u64 = outcomes.iter().map(|(_, count)| count).sum();
        let unqueued = self.counts.sum(UNQUEUED);
        let retries_after = ErrorKind::ALL.iter().map(|kind| (*kind, self.counts.sum(RETRIES + *kind as usize)));
        let retries_after: Vec<_> = retries_after.collect();
        ToolSnapshot {
            outcomes,
            // A call that was counted elsewhere after all may be taken off before it was put on.
            in_flight: Some(started.wrapping_sub(ended)).filter(|running| *running < 1 << 63).unwrap_or(0),
            waiting: self.counts.sum(QUEUED).saturating_sub(unqueued),
            rejected: Rejected::ALL.map(|reason| (reason, self.counts.sum(REJECTED + reason as usize))),
            attempts: self.counts.sum(ATTEMPTS),
            retries: retries_after.iter().map(|(_, count)| count).sum(),
            retries_after,
            suppressed: Suppressed::ALL.map(|reason| (reason, self.counts.sum(SUPPRESSED + reason as usize))),
            timeouts: TimeoutScope::ALL.map(|scope| (scope, self.counts.sum(TIMEOUTS + scope as usize))),
            fallbacks: Source::ALL.map(|source| (source, self.counts.sum(FALLBACKS + source as usize))),
            excused: self.counts.sum(EXCUSED),
            errors: self.failures.errors(),
            good_durations: self.counts.durations(DURATIONS),
            failed_durations: self.failures.durations(),
            consecutive_failures: self.failures_in_a_row.load(Ordering::Relaxed),
            last_failure_ms: self.last_failure_ms.load(Ordering::Relaxed),
            last_outcome: {
                let last = usize::from(self.last_outcome.load(Ordering::Relaxed));
                last.checked_sub(1).and_then(|index| Outcome::ALL.get(index).copied())
            },
            own_attempts: self.attempts.get().map(|attempts| attempts.read()),
            served_as: self.served_as.get().cloned(),
        }
    }
}

/// What the counters of one tool said when they were read.
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
    /// How many calls ended in each way.
    pub outcomes: [(Outcome, u64); 7],
    /// How many calls are running, those that wait among them.
    pub in_flight: u64,
    /// How many calls wait for a slot of a bulkhead.
    pub waiting: u64,
    /// How many attempts were not let run, and by what: where the body has run before, the call
    /// still ends as its last attempt did, so these can be more than the calls that ended rejected.
    pub rejected: [(Rejected, u64); 3],
    /// How many times the body was run.
    pub attempts: u64,
    /// How many of those were retries.
    pub retries: u64,
    /// The retries by the kind of the error before them.
    pub retries_after: Vec<(ErrorKind, u64)>,
    /// How many retries there were not, and why.
    pub suppressed: [(Suppressed, u64); Suppressed::ALL.len()],
    /// How often a limit of time was reached: an attempt's, or the whole call's.
    pub timeouts: [(TimeoutScope, u64); 2],
    /// How many calls something else answered, and what.
    pub fallbacks: [(Source, u64); 3],
    /// How many of the calls that ran and ended with an error are not failures: the caller made a mistake, or
    /// the error is the tool's own answer. Calls that a guard rejected are not among them: they did not run.
    pub excused: u64,
    /// How many calls ended with an error, by its code; at most 64 codes are counted apart.
    pub errors: Vec<ErrorCount>,
    /// How long calls took that were no error, from their start to their answer.
    pub good_durations: HistogramSnapshot,
    /// The same of those that were, by the type of the error.
    pub failed_durations: Vec<(ErrorType, HistogramSnapshot)>,
    /// Failures in a row. A call that a fallback answered counts as one; a caller's mistake, a cancelled call and
    /// a call that a guard rejected neither count nor end the row.
    pub consecutive_failures: u32,
    /// When the last of those was, on our own clock; 0 where there has been none.
    pub(crate) last_failure_ms: u64,
    /// How the last of those ended that say something about the tool.
    pub last_outcome: Option<Outcome>,
    /// How long attempts took, where there is no breaker that counts them.
    pub own_attempts: Option<AttemptSnapshot>,
    /// The name under which clients call it, where it is counted under another one.
    pub served_as: Option<Arc<str>>,
}

impl ToolSnapshot {
    /// Whether it goes by this name, with those who call it or where it is counted as `counted_as`.
    pub(crate) fn is_called(&self, name: &str, counted_as: &str) -> bool {
        name == counted_as || self.served_as.as_deref() == Some(name)
    }

    /// How many calls ended in this way.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        of(&self.outcomes, outcome)
    }

    /// How many attempts were not let run by this.
    #[must_use]
    pub fn rejected(&self, reason: Rejected) -> u64 {
        of(&self.rejected, reason)
    }

    /// How many retries this reason prevented.
    #[must_use]
    pub fn suppressed(&self, reason: Suppressed) -> u64 {
        of(&self.suppressed, reason)
    }

    /// How many calls this answered in the place of the function.
    #[must_use]
    pub fn fallbacks(&self, source: Source) -> u64 {
        of(&self.fallbacks, source)
    }

    /// How often this limit of time was reached.
    #[must_use]
    pub fn timeouts(&self, scope: TimeoutScope) -> u64 {
        of(&self.timeouts, scope)
    }

    /// How many calls ended.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.outcomes.iter().map(|(_, count)| count).sum()
    }

    /// The number of calls that ran and failed: by an error, a timeout or a panic. Callers' mistakes, cancelled
    /// calls, calls that a guard rejected, and calls that the tool or a fallback answered are not among them.
    #[must_use]
    pub fn failures(&self) -> u64 {
        let failed = self.outcomes.iter().filter(|(outcome, _)| is_failure(*outcome));
        failed.map(|(_, count)| count).sum::<u64>().saturating_sub(self.excused)
    }

    /// How long all calls took that have ended, whatever their answer.
    #[must_use]
    pub fn durations(&self) -> HistogramSnapshot {
        let mut all = self.good_durations.clone();
        self.failed_durations.iter().for_each(|(_, failed)| all.add(failed));
        all
    }
}

const fn of_outcome(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Ok => OK,
        other => OUTCOMES + other as usize,
    }
}

const fn is_failure(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Error | Outcome::Timeout | Outcome::Panic)
}

fn of<T: PartialEq + Copy>(counts: &[(T, u64)], wanted: T) -> u64 {
    counts.iter().find(|(each, _)| *each == wanted).map_or(0, |(_, count)| *count)
}
