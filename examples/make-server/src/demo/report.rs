//! What one server did in one phase, added up.

use std::time::Duration;

use super::verdict::{Ending, Outcome, Verdict};
use crate::upstream::stats::{Counts, Stats};

/// The figures of one server in one phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) calls: usize,
    pub(super) answered: usize,
    pub(super) reads: usize,
    /// Reads answered with what the upstream says now.
    pub(super) right_reads: usize,
    /// Reads answered with what it said before, and disclosed as such.
    pub(super) stale_reads: usize,
    pub(super) runs: usize,
    /// Runs that took place and were answered with their id.
    pub(super) right_runs: usize,
    /// Answers that are neither true, nor disclosed, nor an error.
    pub(super) wrong: Vec<String>,
    /// Errors of kind `internal`, and the longest wait for one.
    pub(super) internal: usize,
    pub(super) longest_internal: Duration,
    /// Answers that were given without a call because the breaker was open.
    pub(super) met_open_breaker: usize,
    /// Answers without a correlation id.
    pub(super) without_id: usize,
    /// Answers with a text in them that belongs into the log.
    pub(super) leaks: usize,
    /// What the upstream counted.
    pub(super) upstream: Counts,
    /// Every wait, shortest first; an unanswered call's is the client's patience.
    pub(super) waits: Vec<Duration>,
}

impl Report {
    /// Adds up the outcomes of a phase in which the upstream counted from `before` to `after`.
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

    /// Reads that are right, or old and honest about it.
    pub(super) fn good_reads(&self) -> usize {
        self.right_reads + self.stale_reads
    }

    /// The wait that so many of a hundred calls did not exceed (nearest rank).
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.waits.len() * percent).div_ceil(100);
        self.waits.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// The longest wait.
    pub(super) fn longest(&self) -> Duration {
        self.waits.last().copied().unwrap_or_default()
    }
}

/// What the upstream counted in a phase between two looks at it.
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
