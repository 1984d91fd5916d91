//! Durations and counts of attempts by outcome, per breaker or per function without a breaker.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use super::histogram::{self, Histogram, HistogramSnapshot};
use super::sharded::Sharded;
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
        }
    }

    /// Counts a first attempt in the current second, which adds to the retry budget.
    pub(crate) fn deposit(&self, now: u64) {
        let before = self.counts.mine().change(DEPOSITS, |seen| Budget::one_more(seen, now));
        if let Some(before) = before {
            self.budget.carry_over(before, now);
        }
    }

    /// Takes one retry from the budget of the current second. Returns `false` if none is left.
    pub(crate) fn withdraw(&self, now: u64, share: f64) -> bool {
        self.budget.withdraw(now, share, self.counts.cells(DEPOSITS).map(|cell| cell.load(Ordering::Relaxed)))
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
        self.counts.sum(record.index())
    }

    pub(crate) fn read(&self) -> AttemptSnapshot {
        AttemptSnapshot {
            durations: AttemptOutcome::ALL
                .iter()
                .map(|&outcome| {
                    let other = (outcome as usize).checked_sub(1).and_then(|other| self.others.get(other));
                    let durations = match other {
                        Some(known) => known.get().map_or_else(HistogramSnapshot::empty, |durations| durations.read()),
                        None => self.counts.durations(DURATIONS),
                    };
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
