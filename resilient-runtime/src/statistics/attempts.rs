//! Durations and counts of attempts by outcome, per breaker or per function without a breaker.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use super::counted_once::{Contained, CountedOnce};
use super::histogram::{self, Histogram, HistogramSnapshot};
use super::sharded::Sharded;
use crate::clock::Moment;
use crate::outcomes::AttemptOutcome;
use crate::retry::Budget;

/// What a breaker recorded for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BreakerRecord {
    Success,
    Failure,
    Neutral,
    Rejected,
    Stale,
}

/// The counters of the attempts at one dependency. The ones that nearly every attempt changes share a cache line.
#[repr(C)]
pub(crate) struct AttemptStatistics {
    counts: Sharded<{ OTHERS + BreakerRecord::Stale as usize }>,
    /// Durations of the attempts that did not succeed, in the order of their outcomes. Created on first use, since
    /// most dependencies only see some of the outcomes.
    others: [OnceLock<Box<Histogram>>; AttemptOutcome::ALL.len() - 1],
    /// The retry budget that all of these attempts share.
    budget: Budget,
    /// The attempts that are counted together with their calls.
    good: Contained,
}

const SUCCESSES: usize = 0;
/// First attempts in the current second.
const DEPOSITS: usize = SUCCESSES + 1;
/// Durations of the attempts that succeeded.
const DURATIONS: usize = DEPOSITS + 1;
const OTHERS: usize = DURATIONS + histogram::COUNTERS;

impl BreakerRecord {
    const fn index(self) -> usize {
        match self {
            Self::Success => SUCCESSES,
            other => OTHERS + other as usize - 1,
        }
    }
}

impl AttemptStatistics {
    pub(crate) const fn new() -> Self {
        Self {
            counts: Sharded::new(),
            others: [const { OnceLock::new() }; AttemptOutcome::ALL.len() - 1],
            budget: Budget::new(),
            good: Contained::new(),
        }
    }

    /// Returns the counters of the calls that the statistics of one function and these contain.
    pub(super) fn counted_once(&self, of_function: &Contained) -> Arc<CountedOnce> {
        let (mut function, mut own) = (of_function.lock(), self.good.lock());
        if let Some(known) = function.shared_with(&own) {
            return known;
        }
        // The functions of registries that were dropped. A `static` breaker lives longer.
        own.take_unused().iter().for_each(|unused| self.take(unused));
        let fresh = Arc::new(CountedOnce::new());
        function.add(Arc::clone(&fresh));
        own.add(Arc::clone(&fresh));
        fresh
    }

    /// Adds the counts of calls whose function is gone.
    fn take(&self, calls: &CountedOnce) {
        let now = Moment::now().seconds();
        calls.deposits().for_each(|deposits| self.budget.keep(deposits, now));
        self.counts.add(BreakerRecord::Rejected.index(), calls.rejections().0);
        for (index, count) in (DURATIONS..).zip(calls.duration_counters()) {
            self.counts.add(index, count);
            if index > DURATIONS {
                self.counts.add(SUCCESSES, count);
            }
        }
    }

    /// Counts a first attempt in the current second, which adds to the retry budget.
    pub(crate) fn deposit(&self, now: u64) {
        let before = self.counts.mine().change(DEPOSITS, |seen| Budget::one_more(seen, now));
        if let Some(before) = before {
            self.budget.carry_over(before, now);
        }
    }

    /// Keeps the first attempts of an earlier second, which a good call has found in its cell.
    #[cold]
    pub(crate) fn carry_over(&self, before: u64, now: u64) {
        self.budget.carry_over(before, now);
    }

    /// Takes one retry from the budget of the current second. Returns `false` if none is left.
    pub(crate) fn withdraw(&self, now: u64, share: f64) -> bool {
        let good = self.good.lock();
        let own = self.counts.cells(DEPOSITS).map(|cell| cell.load(Ordering::Relaxed));
        self.budget.withdraw(now, share, own.chain(good.deposits()))
    }

    pub(crate) fn recorded(&self, record: BreakerRecord) {
        self.counts.add(record.index(), 1);
    }

    /// Records a success that the breaker has also recorded.
    pub(crate) fn succeeded(&self, micros: u64) {
        let counts = self.counts.mine();
        counts.record(DURATIONS, micros);
        counts.add(SUCCESSES, 1);
    }

    pub(crate) fn ended(&self, outcome: AttemptOutcome, micros: u64) {
        match (outcome as usize).checked_sub(1).and_then(|other| self.others.get(other)) {
            Some(durations) => durations.get_or_init(|| Box::new(Histogram::new())).record_micros(micros),
            None => self.counts.mine().record(DURATIONS, micros),
        }
    }

    pub(crate) fn count(&self, record: BreakerRecord) -> u64 {
        let good = self.good.lock();
        let counted_once = match record {
            BreakerRecord::Success => good.durations().count(),
            BreakerRecord::Rejected => good.rejected().0,
            BreakerRecord::Failure | BreakerRecord::Neutral | BreakerRecord::Stale => 0,
        };
        self.counts.sum(record.index()) + counted_once
    }

    pub(crate) fn read(&self) -> AttemptSnapshot {
        let good = self.good.lock();
        AttemptSnapshot {
            durations: AttemptOutcome::ALL
                .iter()
                .map(|&outcome| {
                    let other = (outcome as usize).checked_sub(1).and_then(|other| self.others.get(other));
                    let durations = other.map_or_else(
                        || {
                            let mut all = self.counts.durations(DURATIONS);
                            all.add(&good.durations());
                            all
                        },
                        |known| known.get().map_or_else(HistogramSnapshot::empty, |durations| durations.read()),
                    );
                    (outcome, durations)
                })
                .collect(),
        }
    }
}

/// A snapshot of the attempts at one dependency.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// # use resilient_runtime::{Registry, ResilienceError, resilient};
/// # #[resilient(name = "attempts")]
/// # async fn ask() -> Result<u32, ResilienceError> { Ok(1) }
/// # ask().await.unwrap();
/// use resilient_runtime::statistics::AttemptOutcome;
///
/// let attempts = Registry::global().function("attempts").unwrap().own_attempts.unwrap();
/// assert_eq!(attempts.count(AttemptOutcome::Ok), 1);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptSnapshot {
    /// Durations of the attempts by outcome.
    pub durations: Vec<(AttemptOutcome, HistogramSnapshot)>,
}

impl AttemptSnapshot {
    pub(crate) fn add(&mut self, others: &Self) {
        for ((_, durations), (_, more)) in self.durations.iter_mut().zip(&others.durations) {
            durations.add(more);
        }
    }

    /// Returns the number of attempts with this outcome.
    #[must_use]
    pub fn count(&self, outcome: AttemptOutcome) -> u64 {
        self.durations.iter().find(|(each, _)| *each == outcome).map_or(0, |(_, durations)| durations.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_own_durations() {
        let attempts = AttemptStatistics::new();
        for (n, &outcome) in AttemptOutcome::ALL.iter().enumerate() {
            (0..=n).for_each(|_| attempts.ended(outcome, 3_000));
        }
        let read = attempts.read();
        assert!(AttemptOutcome::ALL.iter().map(|outcome| read.count(*outcome)).eq(1..=5));
    }
}
