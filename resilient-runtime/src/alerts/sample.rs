//! The statistics of a registry at one moment, as far as rules need them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use resilient_policy::{BulkheadUse, Policy};

use crate::alerting::rules::is_counted;
use crate::breaker::BreakerState;
use crate::gate::Level;
use crate::health;
use crate::outcomes::Rejected;
use crate::registry::Registry;
use crate::statistics::{HistogramSnapshot, ToolSnapshot};

/// The number of buckets of [`HistogramSnapshot::CONVENTIONAL`], with the one beyond the last edge.
pub(super) const BUCKETS: usize = HistogramSnapshot::CONVENTIONAL.len() + 1;

/// The code of calls that a switch refuses, although their kind is one that rules count.
const CACHE_ONLY: &str = "CACHE_ONLY";

/// The numbers of errors of a kind that rules count, by tool and request, or by function and request if
/// there are no tools, and by code.
type Errors = BTreeMap<(Arc<str>, Arc<str>), u64>;

/// The statistics of a registry at one moment. All counts are totals since its beginning.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// All calls that ended; and those that ran, and that failed: of tools, or of functions if there are no tools.
    pub(super) calls: [u64; 3],
    pub(super) tools: Vec<ToolSample>,
    pub(super) errors: Errors,
    pub(super) breakers: Vec<BreakerSample>,
    /// The number of calls that wait for a permit of a bulkhead.
    pub(super) waiting: u64,
    /// The number of calls that can wait for one.
    pub(super) places: u64,
    /// The number of requests without permission.
    pub(super) refused: u64,
    /// The number of deferred writes that were given up.
    pub(super) dead: u64,
    pub(super) level: Level,
    /// The resident memory as a share of the limit.
    pub(super) memory: Option<f64>,
}

/// The statistics of a tool.
#[derive(Debug)]
pub(super) struct ToolSample {
    /// The name under which clients call it.
    pub(super) name: Arc<str>,
    /// The durations of the calls of clients, by bucket.
    pub(super) durations: [u64; BUCKETS],
    pub(super) timeout: Option<Duration>,
}

/// The statistics of all breakers of one name.
#[derive(Debug)]
pub(super) struct BreakerSample {
    pub(super) name: &'static str,
    pub(super) state: BreakerState,
    /// Successes, failures, all results and rejected attempts, and how often it opened after a failed probe.
    pub(super) counts: [u64; 4],
}

impl Sample {
    /// Reads the statistics of a registry.
    pub(super) fn of(registry: &Registry) -> Self {
        let (tools, functions) = (registry.tools(), registry.functions());
        let requests = registry.requests();
        let all = || tools.iter().chain(&functions).map(|(_, read)| read);
        let counted = if tools.is_empty() { &functions } else { &tools };
        let mut errors = Errors::new();
        for (name, read) in &tools {
            add_errors(&mut errors, name, read);
        }
        // A tool that calls a function would alert twice.
        for (name, read) in functions.iter().filter(|_| tools.is_empty()) {
            add_errors(&mut errors, &format!("fn {name}").into(), read);
        }
        for (method, read) in &requests {
            add_errors(&mut errors, &format!("request {method}").into(), read);
        }
        let (timeouts, places) = policies(registry);
        let unauthorized = all().chain(requests.values()).map(|read| read.rejected(Rejected::Unauthorized));
        Self {
            calls: [
                all().map(ToolSnapshot::calls).sum(),
                counted.iter().map(|(_, read)| read.ran()).sum(),
                counted.iter().map(|(_, read)| read.failures()).sum(),
            ],
            tools: ToolSample::all(&tools, &timeouts),
            errors,
            breakers: breakers(registry),
            waiting: all().map(|read| read.waiting).sum(),
            places,
            refused: unauthorized.sum::<u64>() + wrong_tokens(registry),
            dead: dead(registry),
            level: registry.gate().level(),
            memory: health::memory_share(),
        }
    }
}

fn add_errors(errors: &mut Errors, tool: &Arc<str>, read: &ToolSnapshot) {
    for error in read.errors.iter().filter(|error| is_counted(error.kind) && *error.code != *CACHE_ONLY) {
        // Errors of several kinds may have one code.
        *errors.entry((Arc::clone(tool), Arc::clone(&error.code))).or_default() += error.count;
    }
}

impl ToolSample {
    fn all(tools: &[(Arc<str>, ToolSnapshot)], timeouts: &HashMap<&'static str, Duration>) -> Vec<Self> {
        let mut names: BTreeSet<&str> = tools.iter().map(|(name, _)| &**name).collect();
        let each = tools.iter().map(|(name, read)| {
            // The name that clients know, unless another tool has the same.
            let served_as = read.served_as.as_ref().filter(|name| names.insert(name));
            Self {
                name: Arc::clone(served_as.unwrap_or(name)),
                durations: read.durations().conventional(),
                timeout: timeouts.get(&**name).copied(),
            }
        });
        each.collect()
    }
}

fn breakers(registry: &Registry) -> Vec<BreakerSample> {
    let all = registry.breaker_series().into_iter().map(|(name, read)| {
        let reopened = (BreakerState::HalfOpen, BreakerState::Open);
        let reopened = read.transitions.iter().filter(|(moved, _)| *moved == reopened).map(|(_, count)| count).sum();
        let attempted = read.successes + read.failures + read.neutral + read.rejected;
        BreakerSample { name, state: read.state, counts: [read.successes, read.failures, attempted, reopened] }
    });
    all.collect()
}

/// Returns the timeout of each tool, and the number of calls that can wait for a permit of any bulkhead.
fn policies(registry: &Registry) -> (HashMap<&'static str, Duration>, u64) {
    let mut timeouts: HashMap<&'static str, Duration> = HashMap::new();
    let mut queues: HashMap<Option<&str>, u64> = HashMap::new();
    for described in registry.policies() {
        let policy = described.policy;
        if let Some(tool) = described.tool.filter(|_| policy.timeout <= Policy::LONGEST_TIMEOUT) {
            let known = timeouts.entry(tool).or_default();
            *known = policy.timeout.max(*known);
        }
        if let Some(BulkheadUse { name, settings, .. }) = policy.bulkhead {
            let places = queues.entry(name).or_default();
            let queue = u64::from(settings.queue);
            // Functions share the bulkhead of a name.
            *places = if name.is_some() { queue.max(*places) } else { queue + *places };
        }
    }
    (timeouts, queues.values().sum())
}

/// Returns the number of requests with a wrong token for the routes for operators.
#[cfg(feature = "http")]
fn wrong_tokens(registry: &Registry) -> u64 {
    use crate::statistics::AdminRefusal;

    let counted = registry.admin_refusals.read();
    counted.filter(|(reason, _)| *reason == AdminRefusal::WrongToken).map(|(_, count)| count).sum()
}

#[cfg(not(feature = "http"))]
const fn wrong_tokens(_: &Registry) -> u64 {
    0
}

/// Returns the number of deferred writes that were given up, as they were counted last.
#[cfg(feature = "deferred")]
fn dead(registry: &Registry) -> u64 {
    registry.deferral().and_then(|deferral| deferral.last_counts.get()).map_or(0, |(counts, _)| counts.dead)
}

#[cfg(not(feature = "deferred"))]
const fn dead(_: &Registry) -> u64 {
    0
}
