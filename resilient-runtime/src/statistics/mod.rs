//! What is counted: one place, written by the pipeline and read by whoever exports it.
//!
//! Everything is sharded and of fixed size: counting never waits, never allocates, and memory
//! depends only on how many tools there are.

mod histogram;
pub(crate) mod sharded;

use std::time::Duration;

pub use histogram::HistogramSnapshot;

use histogram::Histogram;
use sharded::Sharded;

/// How a call ended. Every call has exactly one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It answered.
    Ok,
    /// Something else answered in its place.
    Fallback,
    /// It answered with an error.
    Error,
    /// It was not run.
    Rejected,
    /// It gave no answer in time.
    Timeout,
    /// The client gave up, or the future was dropped.
    Cancelled,
    /// It panicked.
    Panic,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 7] =
        [Self::Ok, Self::Fallback, Self::Error, Self::Rejected, Self::Timeout, Self::Cancelled, Self::Panic];

    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fallback => "fallback",
            Self::Error => "error",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Panic => "panic",
        }
    }
}

/// Why an error that could have been retried was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suppressed {
    /// The retry would have begun after the deadline.
    Deadline,
    /// There have been too many retries lately.
    Budget,
}

impl Suppressed {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::Deadline, Self::Budget];

    /// The word used in answers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Budget => "budget",
        }
    }
}

/// What did not let an attempt run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejected {
    /// The breaker was open.
    Breaker,
    /// The bulkhead was full, or the wait for a slot was over.
    Bulkhead,
    /// The rate limit was reached.
    RateLimit,
}

impl Rejected {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Breaker, Self::Bulkhead, Self::RateLimit];

    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Bulkhead => "bulkhead",
            Self::RateLimit => "rate_limit",
        }
    }
}

const STARTED: usize = Outcome::ALL.len();
const ATTEMPTS: usize = STARTED + 1;
const RETRIES: usize = ATTEMPTS + 1;
const SUPPRESSED: usize = RETRIES + 1;
const REJECTED: usize = SUPPRESSED + Suppressed::ALL.len();
const QUEUED: usize = REJECTED + Rejected::ALL.len();
const UNQUEUED: usize = QUEUED + 1;
const SLOTS: usize = UNQUEUED + 1;

/// The counters of one tool.
pub(crate) struct ToolStatistics {
    counts: Sharded<SLOTS>,
    durations: Histogram,
}

impl std::fmt::Debug for ToolStatistics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ToolStatistics").field(&self.read()).finish()
    }
}

impl ToolStatistics {
    pub(crate) const fn new() -> Self {
        Self { counts: Sharded::new(), durations: Histogram::new() }
    }

    pub(crate) fn call_started(&self) {
        self.counts.add(STARTED, 1);
    }

    /// A call that had started is counted elsewhere after all.
    pub(crate) fn call_withdrawn(&self) {
        self.counts.add(STARTED, u64::MAX);
    }

    pub(crate) fn call_ended(&self, outcome: Outcome, duration: Duration) {
        self.durations.record(duration);
        self.counts.add(outcome as usize, 1);
    }

    pub(crate) fn attempt_started(&self, is_retry: bool) {
        self.counts.add(ATTEMPTS, 1);
        if is_retry {
            self.counts.add(RETRIES, 1);
        }
    }

    pub(crate) fn retry_suppressed(&self, reason: Suppressed) {
        self.counts.add(SUPPRESSED + reason as usize, 1);
    }

    pub(crate) fn rejected(&self, reason: Rejected) {
        self.counts.add(REJECTED + reason as usize, 1);
    }

    pub(crate) fn queued(&self) {
        self.counts.add(QUEUED, 1);
    }

    pub(crate) fn unqueued(&self) {
        self.counts.add(UNQUEUED, 1);
    }

    pub(crate) fn read(&self) -> ToolSnapshot {
        // Ends before starts: a call that ends in between must not look like one that never began.
        let outcomes = Outcome::ALL.map(|outcome| (outcome, self.counts.sum(outcome as usize)));
        let started = self.counts.sum(STARTED);
        let ended: u64 = outcomes.iter().map(|(_, count)| count).sum();
        let unqueued = self.counts.sum(UNQUEUED);
        ToolSnapshot {
            outcomes,
            in_flight: started.saturating_sub(ended),
            waiting: self.counts.sum(QUEUED).saturating_sub(unqueued),
            rejected: Rejected::ALL.map(|reason| (reason, self.counts.sum(REJECTED + reason as usize))),
            attempts: self.counts.sum(ATTEMPTS),
            retries: self.counts.sum(RETRIES),
            suppressed: Suppressed::ALL.map(|reason| (reason, self.counts.sum(SUPPRESSED + reason as usize))),
            durations: self.durations.read(),
        }
    }
}

/// What the counters of one tool said when they were read.
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
    /// How many retries there were not, and why.
    pub suppressed: [(Suppressed, u64); 2],
    /// How long ended calls took, from their start to their answer.
    pub durations: HistogramSnapshot,
}

impl ToolSnapshot {
    /// How many calls ended in this way.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.iter().find(|(each, _)| *each == outcome).map_or(0, |(_, count)| *count)
    }

    /// How many attempts were not let run by this.
    #[must_use]
    pub fn rejected(&self, reason: Rejected) -> u64 {
        self.rejected.iter().find(|(each, _)| *each == reason).map_or(0, |(_, count)| *count)
    }

    /// How many retries this reason prevented.
    #[must_use]
    pub fn suppressed(&self, reason: Suppressed) -> u64 {
        self.suppressed.iter().find(|(each, _)| *each == reason).map_or(0, |(_, count)| *count)
    }

    /// How many calls ended.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.outcomes.iter().map(|(_, count)| count).sum()
    }
}
