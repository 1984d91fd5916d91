//! The error rate over the last minutes. It compares counters with earlier readings, so calls pay nothing for it.

use std::collections::VecDeque;
use std::time::Duration;

use resilient_policy::format_duration;
use serde_json::json;
use tokio::time::Instant;

use super::check::CheckResult;
use crate::registry::Registry;

/// The time over which the rate is measured.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// The minimum interval between two stored samples.
const STEP: Duration = Duration::from_secs(15);
/// The minimum number of calls for a rate to be meaningful.
const FEWEST_CALLS: u64 = 20;
const DEGRADED_PER_CENT: u64 = 10;
const UNHEALTHY_PER_CENT: u64 = 20;

/// The ready-made tools for operators. Their calls say nothing about the server's actual service.
const OPERATOR_TOOLS: [&str; 4] = ["circuit_status", "get_metrics", "health_check", "recent_errors"];

/// Samples, oldest first. Samples older than the window are dropped, except for the newest of them, which marks the
/// start of the window. Without one, the window starts at zero with the process.
#[derive(Debug, Default)]
pub(super) struct ErrorRate(VecDeque<Sample>);

/// The counters at one moment: calls that ran, without cancelled calls and callers' mistakes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    at: Instant,
    calls: u64,
    failures: u64,
}

impl Sample {
    pub(super) fn now(registry: &Registry) -> Self {
        let (mut calls, mut failures) = (0, 0);
        for (tool, read) in registry.tools() {
            if !OPERATOR_TOOLS.contains(&&*tool) {
                // A rejection protects the server; it says nothing about the tool.
                calls += read.ran().saturating_sub(read.excused);
                failures += read.failures();
            }
        }
        Self { at: Instant::now(), calls, failures }
    }
}

impl ErrorRate {
    pub(super) fn check(&mut self, now: Sample) -> CheckResult {
        let is_before = |sample: &Sample| now.at.duration_since(sample.at) >= WINDOW;
        while self.0.get(1).is_some_and(is_before) {
            self.0.pop_front();
        }
        // If there was no recent report, a window that is too long is better than none.
        let begin = self.0.front().copied().filter(is_before);
        if self.0.back().is_none_or(|last| now.at.duration_since(last.at) >= STEP) {
            self.0.push_back(now);
        }
        now.since(begin)
    }
}

impl Sample {
    /// Rates the calls since `begin`, or since the start.
    fn since(self, begin: Option<Self>) -> CheckResult {
        let calls = self.calls.saturating_sub(begin.map_or(0, |begin| begin.calls));
        let failures = self.failures.saturating_sub(begin.map_or(0, |begin| begin.failures));
        let since = match begin {
            None => "since the start".to_owned(),
            Some(begin) => {
                let seconds = self.at.duration_since(begin.at).as_secs();
                format!("in the last {}", format_duration(Duration::from_secs(seconds)))
            }
        };
        if calls < FEWEST_CALLS {
            return CheckResult::pass(format!("{calls} calls {since}, too few to say anything"));
        }
        let message = format!("{failures} of {calls} calls failed {since}");
        let result = if failures * 100 > UNHEALTHY_PER_CENT * calls {
            CheckResult::fail(message)
        } else if failures * 100 > DEGRADED_PER_CENT * calls {
            CheckResult::warn(message)
        } else {
            CheckResult::pass(message)
        };
        result.details(json!({ "calls": calls, "failures": failures }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcomes::CheckStatus::{Fail, Pass, Warn};

    #[test]
    fn more_than_10_per_cent_warn_more_than_20_fail_and_19_calls_say_nothing() {
        let at = Instant::now();
        for (failures, calls, expected) in [
            (0, 100, Pass),
            (10, 100, Pass),
            (11, 100, Warn),
            (20, 100, Warn),
            (21, 100, Fail),
            (19, 19, Pass),
            (20, 20, Fail),
        ] {
            let found = Sample { at, calls, failures }.since(None);
            assert_eq!(found.status, expected, "{failures} of {calls}: {found:?}");
        }
    }
}
