//! The built-in checks: breakers, tools, and names of critical tools that no tool has.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use resilient_policy::one_of;

use super::check::CheckResult;
use super::report::{BreakerHealth, HealthStatus, LastError, ToolHealth};
use crate::breaker::{BreakerSnapshot, BreakerState};
use crate::clock::Moment;
use crate::outcomes::Outcome;
use crate::registry::Registry;
use crate::statistics::ToolSnapshot;

/// How long after its last failure a tool stays unhealthy without calls. Afterwards it is degraded and can be tried
/// again, like a dependency behind an open breaker.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Checks the breakers. A breaker that rejects is a warning, not a failure, because rejecting is its purpose.
pub(super) fn breakers(all: &[BreakerHealth]) -> CheckResult {
    let rejecting = [BreakerState::Open, BreakerState::Isolated].map(BreakerState::as_str);
    let open = all.iter().filter(|it| it.status == HealthStatus::Unhealthy && rejecting.contains(&&*it.state));
    let open: Vec<_> = open.map(|it| &*it.breaker).collect();
    if open.is_empty() {
        CheckResult::pass("no breaker is open")
    } else {
        CheckResult::warn(format!("open: {}", open.join(", ")))
    }
}

/// The name of the check of connections.
pub(super) const CONNECTIONS: &str = "connections";

/// Checks the connections to other servers. Returns `None` if there are none.
pub(super) fn connections(registry: &Registry) -> Option<CheckResult> {
    let all = registry.connections();
    let failing = registry.failing_connections(&all);
    let message = || format!("cannot be reached: {}", failing.join(", "));
    match failing.len() {
        _ if all.is_empty() => None,
        0 => Some(CheckResult::pass("no connection is down")),
        failing if failing < all.len() => Some(CheckResult::warn(message())),
        _ => Some(CheckResult::fail(message())),
    }
}

pub(super) fn breaker_health(registry: &Registry) -> Vec<BreakerHealth> {
    let mut all = registry.breakers();
    // The next call for an expired key would be a probe, but that call may never come.
    all.retain(|it| !(it.of_key && it.is_over()));
    // Of the breakers of one name's partition keys, keep the worst.
    all.sort_by_key(|it| (it.name, Reverse((status_of(it), it.failures_in_a_row, it.remaining))));
    all.dedup_by_key(|it| it.name);
    let health = all.into_iter().map(|it| BreakerHealth {
        breaker: it.name.into(),
        status: status_of(&it),
        state: it.state.as_str().into(),
        consecutive_failures: it.failures_in_a_row,
        retry_after: it.remaining.filter(|left| !left.is_zero()),
    });
    health.collect()
}

fn status_of(breaker: &BreakerSnapshot) -> HealthStatus {
    match breaker.state {
        BreakerState::Closed => of_failures(breaker.failures_in_a_row),
        BreakerState::HalfOpen => HealthStatus::Degraded,
        BreakerState::Open if breaker.is_over() => HealthStatus::Degraded,
        BreakerState::Open | BreakerState::Isolated => HealthStatus::Unhealthy,
    }
}

const fn of_failures(in_a_row: u32) -> HealthStatus {
    match in_a_row {
        0 => HealthStatus::Healthy,
        1 | 2 => HealthStatus::Degraded,
        _ => HealthStatus::Unhealthy,
    }
}

/// Returns the health of a tool at present.
pub(crate) fn status_of_tool(read: &ToolSnapshot) -> HealthStatus {
    let quiet = Duration::from_millis(Moment::now().millis().saturating_sub(read.last_failure_ms));
    match of_failures(read.consecutive_failures) {
        // A fallback answered the model; or the tool received no calls for a while, without which it cannot recover.
        HealthStatus::Unhealthy if read.last_outcome == Some(Outcome::Fallback) || quiet > TRIED_AGAIN_AFTER => {
            HealthStatus::Degraded
        }
        status => status,
    }
}

pub(super) fn tool_health(registry: &Registry, critical: &BTreeSet<String>) -> Vec<ToolHealth> {
    let health = registry.tools().into_iter().map(|(tool, read)| ToolHealth {
        status: status_of_tool(&read),
        critical: critical.iter().any(|name| read.is_called(name, &tool)),
        consecutive_failures: read.consecutive_failures,
        last_error: read.errors.iter().max_by_key(|error| error.last).map(LastError::from),
        tool: tool.to_string(),
    });
    health.collect()
}

/// Checks that each critical tool exists, so that a misspelled name does not go unnoticed. Returns `None` if no tool is
/// critical.
pub(super) fn critical_tools(registry: &Registry, critical: &BTreeSet<String>) -> Option<CheckResult> {
    let tools = registry.tools();
    let is_known = |name: &str| tools.iter().any(|(tool, read)| read.is_called(name, tool));
    let unknown: Vec<_> = critical.iter().filter(|name| !is_known(name)).collect();
    let known: Vec<_> = tools.iter().map(|(tool, read)| &**read.served_as.as_ref().unwrap_or(tool)).collect();
    let first = match unknown.first() {
        None if critical.is_empty() => return None,
        None => return Some(CheckResult::pass("every critical tool is there")),
        Some(first) => one_of(first, &known),
    };
    let unknown: Vec<_> = unknown.iter().map(|name| format!("`{name}`")).collect();
    Some(CheckResult::warn(format!("no tool is called {}{first}", unknown.join(", "))))
}
