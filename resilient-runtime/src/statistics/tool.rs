//! The counters of one tool, or of one guarded function that is not a tool.

mod snapshot;

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use resilient_policy::{ErrorKind, Fault, Severity, Source};

use super::attempts::AttemptStatistics;
use super::cache::CacheStatistics;
use super::counted_once::{Contained, CountedOnce};
use super::failures::{ErrorCount, ErrorType, Failures};
use super::histogram;
use super::last_day::Hours;
use super::sharded::Sharded;
use crate::clock::{Moment, saturating_micros};
use crate::error::TimeoutScope;
#[cfg(feature = "cache")]
use crate::outcomes::CacheResult;
use crate::outcomes::{Outcome, Rejected, Suppressed};

pub use snapshot::ToolSnapshot;

// Nearly every call changes only the first counters, which share a cache line.
const STARTED: usize = 0;
const ATTEMPTS: usize = STARTED + 1;
const OK: usize = ATTEMPTS + 1;
/// Durations of the calls that ended without an error.
const DURATIONS: usize = OK + 1;
/// The other outcomes, starting with the second.
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

/// The counters of one tool. The field order puts what every call reads on the first threads in one cache line.
#[repr(C, align(64))]
pub(crate) struct ToolStatistics {
    /// The number of consecutive failures, including calls that a fallback answered.
    failures_in_a_row: AtomicU32,
    /// The last outcome plus 1; 0 if no call has ended.
    last_outcome: AtomicU8,
    counts: Sharded<SLOTS>,
    /// The time of the last failure, in milliseconds of [`Moment`].
    last_failure_ms: AtomicU64,
    failures: Failures,
    /// The attempts of a function without a breaker. With a breaker, the breaker counts the attempts of all its users.
    attempts: OnceLock<Box<AttemptStatistics>>,
    /// The counters of the cache, if the function has one.
    cache: OnceLock<Box<CacheStatistics>>,
    /// The name under which clients call the tool, if it is counted under another one.
    served_as: OnceLock<Arc<str>>,
    /// The calls that are counted once, together with their attempts.
    good: Contained,
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
            cache: OnceLock::new(),
            served_as: OnceLock::new(),
            good: Contained::new(),
        }
    }

    /// Returns the counters of the calls that begin with their first attempt at once. `attempts` counts the attempts of
    /// the function, if it is guarded.
    pub(crate) fn counted_once(&self, attempts: Option<&AttemptStatistics>) -> Arc<CountedOnce> {
        attempts.map_or_else(|| Arc::new(CountedOnce::new()), |attempts| attempts.counted_once(&self.good))
    }

    /// Resets the health of the function after a good call that is counted elsewhere.
    #[cold]
    pub(crate) fn note_success(&self) {
        self.note_health(Outcome::Ok, None);
    }

    /// Sets the name under which clients call the tool, if it is counted under another one.
    #[cfg(feature = "rmcp")]
    pub(crate) fn is_served_as(&self, tool: &Arc<str>) {
        let _ = self.served_as.set(Arc::clone(tool));
    }

    /// Returns the attempt counters of a function without a breaker.
    pub(crate) fn own_attempts(&self) -> &AttemptStatistics {
        self.attempts.get_or_init(|| Box::new(AttemptStatistics::new()))
    }

    /// Makes the series of the cache exist. `is_read_first`: calls look for a kept answer before they run.
    #[cfg(feature = "cache")]
    pub(crate) fn has_cache(&self, is_read_first: bool) {
        let cache = self.cache.get_or_init(|| Box::new(CacheStatistics::new()));
        cache.is_read_first.fetch_or(is_read_first, Ordering::Relaxed);
    }

    /// Returns the counters of the cache, if the function has one.
    #[cfg(feature = "cache")]
    pub(crate) fn cache(&self) -> Option<&CacheStatistics> {
        self.cache.get().map(|cache| &**cache)
    }

    /// Counts a call that a fresh answer of the cache has ended before it began, after `micros` microseconds.
    #[cfg(feature = "cache")]
    #[inline]
    pub(crate) fn hit(&self, micros: u64) {
        let Some(cache) = self.cache() else { return };
        if !cache.hit_at_once(micros) {
            // Copying the answer took long.
            cache.add(CacheResult::Hit);
            self.call_started();
            return self.call_succeeded(micros);
        }
        let is_well = self.last_outcome.load(Ordering::Relaxed) == Outcome::Ok as u8 + 1
            && self.failures_in_a_row.load(Ordering::Relaxed) == 0;
        if !is_well {
            self.note_success();
        }
    }

    pub(crate) fn call_started(&self) {
        self.counts.add(STARTED, 1);
    }

    /// Takes back a started call, which is counted elsewhere instead.
    pub(crate) fn call_withdrawn(&self) {
        self.counts.add(STARTED, u64::MAX);
    }

    /// Counts a call that succeeded after `micros` microseconds. The fast path of [`Self::call_ended`].
    pub(crate) fn call_succeeded(&self, micros: u64) {
        self.note_health(Outcome::Ok, None);
        let counts = self.counts.mine();
        counts.record(DURATIONS, micros);
        counts.add(OK, 1);
    }

    /// Counts a call that ended, and returns the error type that it is counted under.
    ///
    /// `fault` is the party at fault for a failed call, if known. `took` is the duration, or `None` for a call that is
    /// part of another operation.
    pub(crate) fn call_ended(
        &self,
        outcome: Outcome,
        fault: Option<Fault>,
        error: Option<ErrorType>,
        took: Option<Duration>,
    ) -> Option<ErrorType> {
        if let (Outcome::Ok, None, None, Some(took)) = (outcome, fault, error, took) {
            self.call_succeeded(saturating_micros(took));
            return None;
        }
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
        if is_failure(outcome) && matches!(fault, Some(Fault::Caller | Fault::None)) {
            self.counts.add(EXCUSED, 1);
        }
        self.counts.add(of_outcome(outcome), 1);
        counted
    }

    /// Counts consecutive failures. A caller's mistake, and a cancelled, rejected or deferred call say nothing about
    /// the tool and are skipped.
    fn note_health(&self, outcome: Outcome, fault: Option<Fault>) {
        if matches!(outcome, Outcome::Cancelled | Outcome::Rejected | Outcome::Deferred)
            || matches!(fault, Some(Fault::Caller | Fault::None))
        {
            return;
        }
        if outcome == Outcome::Ok {
            // Write only on change, so that successes do not invalidate the cache line of other threads.
            if self.failures_in_a_row.load(Ordering::Relaxed) > 0 {
                self.failures_in_a_row.store(0, Ordering::Relaxed);
            }
        } else {
            self.last_failure_ms.store(Moment::now().millis(), Ordering::Relaxed);
            let more = |known: u32| Some(known.saturating_add(1));
            if self.failures_in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) == Ok(0) {
                self.good.lock().mark_failed();
            }
        }
        let last = outcome as u8 + 1;
        if self.last_outcome.load(Ordering::Relaxed) != last {
            self.last_outcome.store(last, Ordering::Relaxed);
            if outcome != Outcome::Ok {
                self.good.lock().mark_failed();
            }
        }
    }

    /// Counts an error of a call and returns the code that it is counted under, and its time.
    pub(crate) fn failed(&self, code: &str, kind: ErrorKind, severity: Severity) -> (Arc<str>, SystemTime) {
        self.failures.count(code, kind, severity, Moment::now())
    }

    /// Counts the error of a call that was rejected at once.
    pub(crate) fn failed_at_once(&self, code: &str, kind: ErrorKind, severity: Severity, now: Moment) {
        self.failures.count_only(code, kind, severity, now);
    }

    /// Returns the errors of each code, kind and severity, and those of the last 24 hours by hour.
    pub(super) fn errors_by_hour(&self, now: Moment) -> Vec<(ErrorCount, Hours)> {
        self.failures.by_hour(now)
    }

    /// Returns the number of errors in each of the last 24 hours, the oldest first.
    pub(crate) fn hours(&self) -> Hours {
        self.failures.hours(Moment::now())
    }

    pub(crate) fn attempt_started(&self) {
        self.counts.add(ATTEMPTS, 1);
    }

    /// Counts a retry after an error of this kind.
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
        // Read ends before starts, so that a call that ends in between does not appear to have ended without starting.
        let good = self.good.lock();
        let mut good_durations = good.durations();
        let hits = self.cache.get().map_or((0, 0), |cache| cache.hits_at_once());
        good_durations.add_shortest(hits);
        let rejections = good.rejected();
        let (good_ends, (hits_at_once, _), (rejected_at_once, _)) = (good_durations.count(), hits, rejections);
        let outcomes = counted(Outcome::ALL, |outcome| {
            let counted_once = match outcome {
                Outcome::Ok => good_ends,
                Outcome::Rejected => rejected_at_once,
                _ => 0,
            };
            self.counts.sum(of_outcome(outcome)) + counted_once
        });
        good_durations.add(&self.counts.durations(DURATIONS));
        let begun_at_once = good.started();
        drop(good);
        let started = self.counts.sum(STARTED).wrapping_add(begun_at_once + rejected_at_once + hits_at_once);
        let ended: u64 = outcomes.iter().map(|(_, count)| count).sum();
        let unqueued = self.counts.sum(UNQUEUED);
        let retries_after = counted(ErrorKind::ALL, |kind| self.counts.sum(RETRIES + kind as usize));
        ToolSnapshot {
            outcomes,
            // A withdrawn call may be subtracted before it was added.
            in_flight: Some(started.wrapping_sub(ended)).filter(|running| *running < 1 << 63).unwrap_or(0),
            waiting: self.counts.sum(QUEUED).saturating_sub(unqueued),
            rejected: counted(Rejected::ALL, |reason| {
                let counted_once = if reason == Rejected::Breaker { rejected_at_once } else { 0 };
                self.counts.sum(REJECTED + reason as usize) + counted_once
            }),
            attempts: self.counts.sum(ATTEMPTS) + begun_at_once,
            retries: retries_after.iter().map(|(_, count)| count).sum(),
            retries_after,
            suppressed: counted(Suppressed::ALL, |reason| self.counts.sum(SUPPRESSED + reason as usize)),
            timeouts: counted(TimeoutScope::ALL, |scope| self.counts.sum(TIMEOUTS + scope as usize)),
            fallbacks: counted(Source::ALL, |source| self.counts.sum(FALLBACKS + source as usize)),
            excused: self.counts.sum(EXCUSED),
            errors: self.failures.errors(),
            good_durations,
            failed_durations: self.failures.durations(rejections),
            consecutive_failures: self.failures_in_a_row.load(Ordering::Relaxed),
            last_failure_ms: self.last_failure_ms.load(Ordering::Relaxed),
            last_outcome: {
                let last = usize::from(self.last_outcome.load(Ordering::Relaxed));
                last.checked_sub(1).and_then(|index| Outcome::ALL.get(index).copied())
            },
            own_attempts: self.attempts.get().map(|attempts| attempts.read()),
            cache: self.cache.get().map(|cache| cache.read(hits_at_once)),
            served_as: self.served_as.get().cloned(),
        }
    }
}

/// Pairs each of `all` with its count.
fn counted<T: Copy>(all: &[T], count: impl Fn(T) -> u64) -> Vec<(T, u64)> {
    all.iter().map(|each| (*each, count(*each))).collect()
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
