//! The state and history of each breaker, for operators.

use std::cmp::Reverse;

use serde::Serialize;

use crate::breaker::{BreakerSeries, BreakerSnapshot, BreakerState, Transition};
use crate::clock::{saturating_millis, unix_millis};
use crate::registry::Registry;

/// The maximum number of transitions that are shown.
const TRANSITIONS: usize = 20;

/// The circuit breakers of this server.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
pub(crate) struct Breakers {
    /// One entry for each breaker name.
    pub(crate) breakers: Vec<BreakerEntry>,
}

/// The circuit breaker of one name, or all breakers of its partition keys with their counts added up.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
pub(crate) struct BreakerEntry {
    /// The name of the breaker, usually of the dependency it protects.
    pub(crate) breaker: &'static str,
    /// `closed`: calls are admitted. `open`: calls are rejected. `half_open`: a few calls probe whether the dependency
    /// has recovered. `isolated`: calls are rejected until an operator changes the state. With several partition keys,
    /// the state of the worst one.
    pub(crate) state: &'static str,
    /// The remaining time for which calls are rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
    /// The number of failures in a row, while the breaker is closed.
    pub(crate) consecutive_failures: u32,
    /// Whether the next failure opens the breaker, because that of another replica has opened. The next success ends
    /// this.
    pub(crate) armed: bool,
    /// The contents of the breaker's window, while it is closed and has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    /// When the last transition to the current state occurred, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since_unix_ms: Option<u64>,
    /// The number of partition keys in each state, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<KeyStates>,
    /// The number of running probes.
    pub(crate) probes: u32,
    /// The number of results that were successes.
    successes: u64,
    /// The number of results that were failures.
    failures: u64,
    /// The number of neutral results, which say nothing about the dependency.
    neutral: u64,
    /// The number of rejected calls.
    pub(crate) rejected: u64,
    /// The number of results that arrived too late to count.
    stale: u64,
    /// When the last failure occurred.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure_unix_ms: Option<u64>,
    /// The last transitions, newest first.
    pub(crate) transitions: Vec<TransitionEntry>,
}

/// The number of partition keys in each state.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
pub(crate) struct KeyStates {
    /// Calls are admitted.
    pub(crate) closed: usize,
    /// A few calls are probes, or the next call will be one.
    pub(crate) half_open: usize,
    /// Calls are rejected.
    pub(crate) open: usize,
    /// Calls are rejected until an operator changes the state.
    pub(crate) isolated: usize,
}

/// The results that the breaker bases its decision on.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Window {
    /// The number of all results.
    results: u32,
    /// The number of failures.
    failures: u32,
    /// The number of slow results.
    slow: u32,
}

/// One transition of a breaker.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
pub(crate) struct TransitionEntry {
    /// The state before.
    pub(crate) from: &'static str,
    /// The state after.
    pub(crate) to: &'static str,
    /// The reason for the transition.
    pub(crate) reason: &'static str,
    /// When it occurred.
    pub(crate) at_unix_ms: u64,
}

impl Breakers {
    pub(crate) fn of(registry: &Registry) -> Self {
        let all = registry.read_breakers(|_| true);
        Self { breakers: all.chunk_by(|a, b| a.name == b.name).filter_map(BreakerEntry::of).collect() }
    }
}

#[cfg(feature = "http")]
impl Breakers {
    /// Keeps the entry of this name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.breakers.retain(|entry| entry.breaker == name);
        self
    }
}

impl BreakerEntry {
    /// Merges the breakers of one name, of which the one without a partition key comes first.
    fn of(all: &[BreakerSnapshot]) -> Option<Self> {
        // A key whose open period is over rejects no calls, and may never be used again.
        let standing = all.iter().rev().filter(|it| !(it.of_key && it.is_over()));
        let worst = standing.max_by_key(|it| (BreakerSeries::rank(it.state), it.remaining, it.consecutive_failures))?;
        let sum = |count: fn(&BreakerSnapshot) -> u64| all.iter().map(count).sum();
        let moves = all.iter().flat_map(|it| it.transitions.iter().rev());
        let mut moves: Vec<_> = moves.collect();
        moves.sort_by_key(|moved| Reverse(moved.at));
        Some(Self {
            breaker: worst.name,
            state: worst.state.as_str(),
            retry_after_ms: worst.remaining.filter(|left| !left.is_zero()).map(saturating_millis),
            consecutive_failures: worst.consecutive_failures,
            armed: worst.armed,
            window: worst.window.map(|(results, failures, slow)| Window { results, failures, slow }),
            since_unix_ms: worst.since.map(unix_millis),
            keys: KeyStates::of(all),
            probes: all.iter().map(|it| it.probes).sum(),
            successes: sum(|it| it.successes),
            failures: sum(|it| it.failures),
            neutral: sum(|it| it.neutral),
            rejected: sum(|it| it.rejected),
            stale: sum(|it| it.stale),
            last_failure_unix_ms: all.iter().filter_map(|it| it.last_failure).max().map(unix_millis),
            transitions: moves.into_iter().take(TRANSITIONS).map(TransitionEntry::from).collect(),
        })
    }
}

impl KeyStates {
    fn of(all: &[BreakerSnapshot]) -> Option<Self> {
        let mut keys = Self::default();
        for it in all.iter().filter(|it| it.of_key) {
            *match it.state {
                BreakerState::Closed => &mut keys.closed,
                BreakerState::Open if !it.is_over() => &mut keys.open,
                BreakerState::HalfOpen | BreakerState::Open => &mut keys.half_open,
                BreakerState::Isolated => &mut keys.isolated,
            } += 1;
        }
        all.iter().any(|it| it.of_key).then_some(keys)
    }
}

impl From<&Transition> for TransitionEntry {
    fn from(moved: &Transition) -> Self {
        Self {
            from: moved.from.as_str(),
            to: moved.to.as_str(),
            reason: moved.reason.as_str(),
            at_unix_ms: unix_millis(moved.at),
        }
    }
}
