//! The series of deferred writes. They come from the last counts of the store, so that no export waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use resilient_policy::Source;

use super::names;
use crate::deferred::{Counts, State, Timestamp};
use crate::registry::Registry;
use crate::statistics::DeferredResult;

/// A name and a help text.
type Series = (&'static str, &'static str);

pub(crate) const RESULTS: Series = (names::DEFERRED.name, "What happened to the deferred writes of a tool");
pub(crate) const ENTRIES: Series =
    (names::DEFERRED_ENTRIES.name, "Deferred writes of this server in its store, by state, as they were counted last");

/// Reads a value, if it is known.
type Value = fn(&Registry) -> Option<u64>;

/// Gauges without labels.
pub(crate) const GAUGES: [(Series, Value); 3] = [
    (
        (
            names::DEFERRED_INTERRUPTED_TRIES.name,
            "Tries of the deferred writes in the store whose process died or hung, as they were counted last",
        ),
        |registry| last(registry).map(|(counts, ..)| counts.interrupted),
    ),
    (
        (names::DEFERRED_OLDEST.name, "The age of the oldest deferred write that waits or runs, 0 without one"),
        |registry| {
            let (counts, _, now) = last(registry)?;
            Some(counts.oldest.map_or(0, |oldest| now.since(oldest).as_secs()))
        },
    ),
    ((names::DEFERRED_COUNTED.name, "The time since the deferred writes in the store were counted last"), |registry| {
        last(registry).map(|(_, at, now)| now.since(at).as_secs())
    }),
];

/// Returns the last counts, their time and the current time.
fn last(registry: &Registry) -> Option<(Counts, Timestamp, Timestamp)> {
    let deferral = registry.deferral()?;
    let (counts, at) = deferral.last_counts.get()?;
    Some((counts, at, deferral.clock.now()))
}

/// Reads the number of entries in each state, or nothing before they were counted.
pub(crate) fn entries(registry: &Registry) -> Vec<(&'static str, u64)> {
    let Some((counts, ..)) = last(registry) else { return Vec::new() };
    State::ALL.iter().map(|state| (state.as_str(), counts.of(*state))).collect()
}

/// Reads the count of each result, of each tool that defers writes and of each tool that did.
pub(crate) fn results(registry: &Registry) -> Vec<(Arc<str>, DeferredResult, u64)> {
    let Some(deferral) = registry.deferral() else { return Vec::new() };
    let mut tools: BTreeMap<Arc<str>, BTreeMap<DeferredResult, u64>> = BTreeMap::new();
    for described in registry.policies() {
        if let Some(tool) = described.tool.filter(|_| described.policy.fallback.contains(&Source::Deferred)) {
            tools.entry(tool.into()).or_default();
        }
    }
    for (tool, result, count) in deferral.statistics.all() {
        tools.entry(tool).or_default().insert(result, count);
    }
    let each = |(tool, counts): (Arc<str>, BTreeMap<DeferredResult, u64>)| {
        DeferredResult::ALL
            .iter()
            .map(move |result| (Arc::clone(&tool), *result, counts.get(result).copied().unwrap_or(0)))
    };
    tools.into_iter().flat_map(each).collect()
}
