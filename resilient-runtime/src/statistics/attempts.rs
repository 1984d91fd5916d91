//! How long attempts took, by how they ended: of a breaker, or of a function without one.

use std::sync::OnceLock;
use std::time::Duration;

use super::histogram::{Histogram, HistogramSnapshot};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// It answered.
    Ok,
    /// It answered with an error.
    Error,
    /// It was cut off.
    Timeout,
    /// The client gave up, or the future was dropped.
    Cancelled,
    /// It panicked.
    Panic,
}

impl AttemptOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Error, Self::Timeout, Self::Cancelled, Self::Panic];

    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Panic => "panic",
        }
    }
}

/// The attempts at one dependency, in the order of their outcomes: most know only some of them.
pub(crate) struct AttemptStatistics([OnceLock<Box<Histogram>>; AttemptOutcome::ALL.len()]);

impl AttemptStatistics {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; AttemptOutcome::ALL.len()])
    }

    pub(crate) fn ended(&self, outcome: AttemptOutcome, took: Duration) {
        if let Some(durations) = self.0.get(outcome as usize) {
            durations.get_or_init(|| Box::new(Histogram::new())).record(took);
        }
    }

    pub(crate) fn read(&self) -> AttemptSnapshot {
        AttemptSnapshot {
            durations: AttemptOutcome::ALL.map(|outcome| {
                let known = self.0.get(outcome as usize).and_then(OnceLock::get);
                (outcome, known.map_or_else(HistogramSnapshot::empty, |durations| durations.read()))
            }),
        }
    }
}

/// What was counted of attempts when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptSnapshot {
    /// How long they took, by how they ended.
    pub durations: [(AttemptOutcome, HistogramSnapshot); 5],
}

impl AttemptSnapshot {
    pub(crate) fn add(&mut self, others: &Self) {
        for ((_, durations), (_, more)) in self.durations.iter_mut().zip(&others.durations) {
            durations.add(more);
        }
    }

    /// How many attempts ended like this.
    #[must_use]
    pub fn count(&self, outcome: AttemptOutcome) -> u64 {
        self.durations.iter().find(|(each, _)| *each == outcome).map_or(0, |(_, durations)| durations.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_durations_of_its_own() {
        let attempts = AttemptStatistics::new();
        for (n, outcome) in AttemptOutcome::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| attempts.ended(outcome, Duration::from_millis(3)));
        }
        let read = attempts.read();
        assert_eq!(AttemptOutcome::ALL.map(|outcome| read.count(outcome)), [1, 2, 3, 4, 5]);
    }
}
