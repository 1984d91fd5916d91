//! What is looked at without anybody asking for it: breakers, the rate of errors, memory.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::check::CheckResult;
use super::report::{BreakerHealth, HealthStatus, ToolHealth};
use crate::breaker::BreakerState;
use crate::registry::Registry;
use crate::statistics::Outcome;

/// The time over which the rate of errors is taken.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// How many calls there must be before a rate says anything.
const FEWEST_CALLS: u64 = 20;
const DEGRADED_PER_CENT: u64 = 10;
const UNHEALTHY_PER_CENT: u64 = 20;

const MEMORY_WARNS_PER_CENT: u64 = 80;
const MEMORY_FAILS_PER_CENT: u64 = 95;

/// Breakers that reject are worth a look; that they reject is what they are for.
pub(super) fn breakers(all: &[BreakerHealth]) -> CheckResult {
    let open: Vec<_> = all.iter().filter(|it| it.status == HealthStatus::Unhealthy).map(|it| &*it.breaker).collect();
    if open.is_empty() {
        CheckResult::pass("no breaker is open")
    } else {
        CheckResult::warn(format!("open: {}", open.join(", ")))
    }
}

pub(super) fn breaker_health(registry: &Registry) -> Vec<BreakerHealth> {
    let mut all: Vec<_> = registry.breakers();
    // Of the keys of one name, the one that stands worst.
    all.sort_by_key(|it| (it.name, std::cmp::Reverse(rank(it.state)), std::cmp::Reverse(it.consecutive_failures)));
    all.dedup_by_key(|it| it.name);
    let health = all.into_iter().map(|it| BreakerHealth {
        breaker: it.name.into(),
        status: match it.state {
            BreakerState::Closed if it.consecutive_failures == 0 => HealthStatus::Healthy,
            BreakerState::Closed | BreakerState::HalfOpen => HealthStatus::Degraded,
            // Its open period is over: the next call probes.
            BreakerState::Open if it.remaining.is_none() => HealthStatus::Degraded,
            BreakerState::Open | BreakerState::Isolated => HealthStatus::Unhealthy,
        },
        state: it.state.as_str().into(),
        consecutive_failures: it.consecutive_failures,
        retry_after: it.remaining,
    });
    health.collect()
}

const fn rank(state: BreakerState) -> u8 {
    match state {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open | BreakerState::Isolated => 2,
    }
}

pub(super) fn tool_health(registry: &Registry, is_critical: impl Fn(&str) -> bool) -> Vec<ToolHealth> {
    let tools = registry.tools().into_iter();
    let health = tools.map(|(tool, read)| ToolHealth {
        status: match (read.consecutive_failures, read.last_outcome) {
            (0, _) => HealthStatus::Healthy,
            // The model got an answer, if an old one.
            (1 | 2, _) | (_, Some(Outcome::Fallback)) => HealthStatus::Degraded,
            _ => HealthStatus::Unhealthy,
        },
        critical: is_critical(&tool),
        consecutive_failures: read.consecutive_failures,
        tool: tool.to_string(),
    });
    health.collect()
}

/// The rate of errors over the last minutes, taken from counts that were read before: no call pays for it.
#[derive(Debug)]
pub(super) struct ErrorRate(VecDeque<Sample>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    calls: u64,
    failures: u64,
}

impl ErrorRate {
    /// A rate of what happens from now on.
    pub(super) fn new(registry: &Registry) -> Self {
        Self(VecDeque::from([Sample::now(registry)]))
    }

    pub(super) fn check(&mut self, registry: &Registry) -> CheckResult {
        let now = Sample::now(registry);
        // What was counted before the window is not known any more.
        while self.0.front().is_some_and(|first| now.at.duration_since(first.at) > WINDOW) {
            self.0.pop_front();
        }
        let begin = self.0.front().copied();
        // Some samples are enough to take a rate of.
        if self.0.back().is_none_or(|last| now.at.duration_since(last.at) >= WINDOW / 20) {
            self.0.push_back(now);
        }
        let Some(begin) = begin else {
            return CheckResult::pass("nobody has looked for so long that nothing is known of the last minutes");
        };
        let calls = now.calls.saturating_sub(begin.calls);
        let failures = now.failures.saturating_sub(begin.failures);
        if calls < FEWEST_CALLS {
            return CheckResult::pass(format!("{calls} calls lately, too few to say anything"));
        }
        let message = format!("{failures} of {calls} calls failed lately");
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

impl Sample {
    fn now(registry: &Registry) -> Self {
        let (calls, failures) = registry
            .tools()
            .iter()
            .map(|(_, read)| (read.calls(), read.failures()))
            .fold((0, 0), |(calls, failures), (more, failed)| (calls + more, failures + failed));
        Self { at: Instant::now(), calls, failures }
    }
}

/// The memory that is resident, against what the process may have. `None` where nobody sets a limit, or
/// the system does not say.
pub(super) fn memory() -> Option<CheckResult> {
    let (resident, limit) = (resident()?, limit()?);
    let per_cent = resident.saturating_mul(100) / limit.max(1);
    let message = format!("{per_cent} % of the memory that this process may have");
    let result = if per_cent >= MEMORY_FAILS_PER_CENT {
        CheckResult::fail(message)
    } else if per_cent >= MEMORY_WARNS_PER_CENT {
        CheckResult::warn(message)
    } else {
        CheckResult::pass(message)
    };
    Some(result.details(json!({ "resident_bytes": resident, "limit_bytes": limit })))
}

/// The resident memory of this process in bytes, as Linux tells it.
pub(crate) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

/// The least that a control group allows which this process is in: of version 2, else of version 1.
fn limit() -> Option<u64> {
    let read = |path: &Path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    // In a container its own group is the root; outside, every group around it has a say.
    let around = Path::new(own).ancestors();
    let limits = around.filter_map(|group| read(&Path::new("/sys/fs/cgroup").join(group).join("memory.max")));
    let limit = limits.min().or_else(|| read(Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes")))?;
    // Version 1 says "none" with the largest number of pages.
    (limit < 1 << 60).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_memory() {
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20));
    }
}
