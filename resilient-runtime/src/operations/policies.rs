//! What rules and dashboards need to know of the policies of a server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use resilient_policy::{BulkheadUse, Policy};

use crate::registry::Registry;
use crate::statistics::HistogramSnapshot;

/// The policies of a server, as far as thresholds depend on them.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// The names of tools as clients know them, by timeout.
    pub(super) timeouts: BTreeMap<Duration, BTreeSet<String>>,
    /// Whether the server has tools. Without any, the calls of its functions count.
    pub(super) has_tools: bool,
    /// The number of calls that can wait for a permit of any bulkhead.
    pub(super) queue_places: u64,
}

impl Policies {
    pub(super) fn of(registry: &Registry) -> Self {
        let tools = registry.tools();
        let mut longest: BTreeMap<String, Duration> = BTreeMap::new();
        let mut queues: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for described in registry.policies() {
            let policy = described.policy;
            if let Some(tool) = described.tool.filter(|_| policy.timeout <= Policy::LONGEST_TIMEOUT) {
                let served_as = tools.iter().find(|(name, _)| **name == *tool);
                let served_as = served_as.and_then(|(_, read)| read.served_as.as_deref()).unwrap_or(tool);
                let known = longest.entry(served_as.to_owned()).or_default();
                *known = policy.timeout.max(*known);
            }
            if let Some(BulkheadUse { name, settings, .. }) = policy.bulkhead {
                let places = queues.entry(name).or_default();
                let queue = u64::from(settings.queue);
                // Functions share the bulkhead of a name.
                *places = if name.is_some() { queue.max(*places) } else { queue + *places };
            }
        }
        let mut timeouts: BTreeMap<Duration, BTreeSet<String>> = BTreeMap::new();
        for (tool, timeout) in longest {
            timeouts.entry(timeout).or_default().insert(tool);
        }
        Self { timeouts, has_tools: !tools.is_empty(), queue_places: queues.values().sum() }
    }
}

/// Returns the duration in seconds above which the 95th percentile of a tool with this timeout is too long. `None` if no
/// estimate is above it, because it is beyond the last edge of the buckets.
pub(super) fn slow_above(timeout: Duration, share: f64) -> Option<f64> {
    let above = timeout.as_secs_f64() * share;
    let [.., last] = HistogramSnapshot::CONVENTIONAL;
    (above < last.as_secs_f64()).then_some(above)
}
