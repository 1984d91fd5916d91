//! Where each breaker stands, and how it came there.

use std::cmp::Reverse;

use serde::Serialize;

use crate::breaker::{BreakerSeries, BreakerSnapshot, BreakerState, Transition};
use crate::clock::{saturating_millis, unix_millis};
use crate::registry::Registry;

/// How many of the last transitions are shown.
const TRANSITIONS: usize = 20;

/// The circuit breakers of this server.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
pub(crate) struct Breakers {
    /// One for each name.
    breakers: Vec<Shown>,
}

/// The circuit breakers of one name: one, or one for each key, whose counts are added up.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Shown {
    /// The dependency that it stands for.
    breaker: &'static str,
    /// `closed`: calls go through. `open`: they are rejected. `half_open`: a few probe whether it is well again. `isolated`: rejected until an operator says otherwise. Of several keys it is that of the one that stands worst.
    state: &'static str,
    /// How long it still rejects.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Failures in a row, while it is closed.
    consecutive_failures: u32,
    /// What its window holds, while it is closed and has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    /// Since when it stands where it stands, if it has ever moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    since_unix_ms: Option<u64>,
    /// How many keys stand where, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Keys>,
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
    /// The last transitions, newest first.
    transitions: Vec<Moved>,
}

/// How many keys stand where.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Keys {
    /// Calls go through.
    closed: usize,
    /// A few calls probe, or the next one will.
    half_open: usize,
    /// Calls are rejected.
    open: usize,
    /// Calls are rejected until an operator says otherwise.
    isolated: usize,
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
        let all = registry.read_breakers(|_| true);
        Self { breakers: all.chunk_by(|a, b| a.name == b.name).filter_map(Shown::of).collect() }
    }
}

impl Shown {
    /// Those of one name, that of no key first.
    fn of(all: &[BreakerSnapshot]) -> Option<Self> {
        // A key whose open period is over rejects nobody, and may never be asked for again.
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
            window: worst.window.map(|(results, failures, slow)| Window { results, failures, slow }),
            since_unix_ms: worst.since.map(unix_millis),
            keys: Keys::of(all),
            probes: all.iter().map(|it| it.probes).sum(),
            successes: sum(|it| it.successes),
            failures: sum(|it| it.failures),
            neutral: sum(|it| it.neutral),
            rejected: sum(|it| it.rejected),
            stale: sum(|it| it.stale),
            last_failure_unix_ms: all.iter().filter_map(|it| it.last_failure).max().map(unix_millis),
            transitions: moves.into_iter().take(TRANSITIONS).map(Moved::from).collect(),
        })
    }
}

impl Keys {
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

impl From<&Transition> for Moved {
    fn from(moved: &Transition) -> Self {
        Self {
            from: moved.from.as_str(),
            to: moved.to.as_str(),
            reason: moved.reason.as_str(),
            at_unix_ms: unix_millis(moved.at),
        }
    }
}
