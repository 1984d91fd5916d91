//! The figures of one server in one phase.

use std::time::Duration;

use super::verdict::{Ending, Outcome, Verdict};
use crate::upstream::stats::{Counts, Stats};

/// The figures of one server in one phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) calls: usize,
    pub(super) answered: usize,
    pub(super) reads: usize,
    /// Reads with the upstream's current data.
    pub(super) right_reads: usize,
    /// Reads with earlier data that are marked as old.
    pub(super) stale_reads: usize,
    pub(super) runs: usize,
    /// Executed runs whose response has the right id.
    pub(super) right_runs: usize,
    /// Responses that are neither correct, nor marked as old, nor an error.
    pub(super) wrong: Vec<String>,
    /// Errors of kind `internal`, and the longest wait for one.
    pub(super) internal: usize,
    pub(super) longest_internal: Duration,
    /// Calls that the open breaker rejected.
    pub(super) met_open_breaker: usize,
    /// Responses without a correlation id.
    pub(super) without_id: usize,
    /// Responses that contain a private text.
    pub(super) leaks: usize,
    /// The upstream's counters.
    pub(super) upstream: Counts,
    /// Every duration, shortest first. Without a response it is the client's limit.
    pub(super) waits: Vec<Duration>,
}

impl Report {
    /// Sums the outcomes of a phase, with the upstream's counters before and after it.
    pub(super) fn new(outcomes: &[Outcome], phase: &str, before: &Stats, after: &Stats) -> Self {
        let mut report = Self { upstream: counted(phase, before, after), ..Self::default() };
        for outcome in outcomes {
            report.add(outcome, after);
        }
        report.waits.sort_unstable();
        report
    }

    fn add(&mut self, outcome: &Outcome, stats: &Stats) {
        let reads = outcome.call.reads();
        let answered = !matches!(outcome.ending, Ending::Unanswered);
        self.calls += 1;
        self.reads += usize::from(reads);
        self.runs += usize::from(!reads);
        self.answered += usize::from(answered);
        self.without_id += usize::from(answered && !outcome.has_correlation_id());
        self.leaks += usize::from(outcome.leaks());
        self.met_open_breaker += usize::from(outcome.met_open_breaker());
        self.waits.push(outcome.waited);
        match outcome.verdict(stats) {
            Verdict::Right if reads => self.right_reads += 1,
            Verdict::Right => self.right_runs += 1,
            Verdict::Stale => self.stale_reads += 1,
            Verdict::Wrong(why) => self.wrong.push(why),
            Verdict::Error(Some(kind)) if kind == "internal" => {
                self.internal += 1;
                self.longest_internal = self.longest_internal.max(outcome.waited);
            }
            Verdict::Error(_) | Verdict::Unanswered => {}
        }
    }

    /// Reads that are correct or marked as old.
    pub(super) fn good_reads(&self) -> usize {
        self.right_reads + self.stale_reads
    }

    /// A percentile of the durations (nearest rank).
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.waits.len() * percent).div_ceil(100);
        self.waits.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// The longest duration.
    pub(super) fn longest(&self) -> Duration {
        self.waits.last().copied().unwrap_or_default()
    }
}

/// The difference between two readings of the upstream's counters.
fn counted(phase: &str, before: &Stats, after: &Stats) -> Counts {
    let of = |stats: &Stats| stats.phases.get(phase).cloned().unwrap_or_default();
    let (before, after) = (of(before), of(after));
    Counts {
        requests: after.requests - before.requests,
        abandoned: after.abandoned - before.abandoned,
        runs: after.runs - before.runs,
        panics: after.panics - before.panics,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let report = Report { waits: (1..=200).map(Duration::from_millis).collect(), ..Report::default() };
        assert_eq!(report.percentile(50), Duration::from_millis(100));
        assert_eq!(report.percentile(99), Duration::from_millis(198));
        assert_eq!(report.longest(), Duration::from_millis(200));
        assert_eq!(Report::default().percentile(50), Duration::ZERO);
        let one = Report { waits: vec![Duration::from_millis(7)], ..Report::default() };
        assert_eq!((one.percentile(50), one.percentile(99)), (one.longest(), one.longest()));
    }
}
