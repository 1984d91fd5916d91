//! Where each breaker stands, and how it came there.

use serde::Serialize;

use super::unix_ms;
use crate::breaker::{BreakerSnapshot, Transition};
use crate::clock::saturating_millis;
use crate::registry::Registry;

/// How many of the last transitions are shown.
const TRANSITIONS: usize = 20;

/// The circuit breakers of this server.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
pub(crate) struct Breakers {
    /// Each of them; of those with a key, the ones that are not closed.
    breakers: Vec<Shown>,
}

/// One circuit breaker.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Shown {
    /// The dependency that it stands for.
    breaker: &'static str,
    /// `closed`: calls go through. `open`: they are rejected. `half_open`: a few probe whether it is well again. `isolated`: rejected until an operator says otherwise.
    state: &'static str,
    /// How long it still rejects.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Failures in a row, while it is closed.
    consecutive_failures: u32,
    /// What its window holds, while it is closed and has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    /// Probes that are running.
    probes: u32,
    /// Results that were successes.
    successes: u64,
    /// Results that were failures.
    failures: u64,
    /// Results that said nothing about the dependency.
    neutral: u64,
    /// Calls that were not let through.
    rejected: u64,
    /// Results that came too late to matter.
    stale: u64,
    /// When the last failure was.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure_unix_ms: Option<u64>,
    /// Since when it stands where it stands, if it has ever moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    since_unix_ms: Option<u64>,
    /// The last transitions, newest first.
    transitions: Vec<Moved>,
}

/// The results by which a breaker decides.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Window {
    /// All of them.
    results: u32,
    /// Those that were failures.
    failures: u32,
    /// Those that were slow.
    slow: u32,
}

/// One transition.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Moved {
    /// Where it stood.
    from: &'static str,
    /// Where it went.
    to: &'static str,
    /// Why.
    reason: &'static str,
    /// When.
    at_unix_ms: u64,
}

impl Breakers {
    pub(crate) fn of(registry: &Registry) -> Self {
        Self { breakers: registry.breakers().into_iter().map(Shown::from).collect() }
    }
}

impl From<BreakerSnapshot> for Shown {
    fn from(read: BreakerSnapshot) -> Self {
        Self {
            breaker: read.name,
            state: read.state.as_str(),
            retry_after_ms: read.remaining.map(saturating_millis),
            consecutive_failures: read.consecutive_failures,
            window: read.window.map(|(results, failures, slow)| Window { results, failures, slow }),
            probes: read.probes,
            successes: read.successes,
            failures: read.failures,
            neutral: read.neutral,
            rejected: read.rejected,
            stale: read.stale,
            last_failure_unix_ms: read.last_failure.map(unix_ms),
            since_unix_ms: read.since.map(unix_ms),
            transitions: read.transitions.iter().rev().take(TRANSITIONS).map(Moved::from).collect(),
        }
    }
}

impl From<&Transition> for Moved {
    fn from(moved: &Transition) -> Self {
        Self {
            from: moved.from.as_str(),
            to: moved.to.as_str(),
            reason: moved.reason.as_str(),
            at_unix_ms: unix_ms(moved.at),
        }
    }
}
