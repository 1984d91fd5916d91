//! A summary of the statistics of each tool.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::ms;
use crate::outcomes::Outcome;
use crate::registry::Registry;
use crate::statistics::{HistogramSnapshot, ToolSnapshot};

/// The statistics of this server since its start.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
pub(crate) struct Metrics {
    /// The statistics of each tool.
    tools: Vec<ToolMetrics>,
    /// The statistics of each guarded function that is not a tool.
    functions: Vec<ToolMetrics>,
}

/// The statistics of one tool.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct ToolMetrics {
    /// The name of the tool.
    name: String,
    /// The number of calls that have ended.
    calls: u64,
    /// The same number by outcome.
    outcomes: BTreeMap<&'static str, u64>,
    /// The percentage of failed calls among those that ran. Callers' mistakes, cancelled calls and calls that a guard
    /// rejected are not failures.
    failure_rate_percent: f64,
    /// The number of running calls.
    in_flight: u64,
    /// The number of attempts, each of which runs the tool once.
    attempts: u64,
    /// The number of attempts that were retries.
    retries: u64,
    /// The number of calls by what the cache had for them, and the size of the kept answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<CacheMetrics>,
    /// The duration of calls with any outcome.
    duration: Durations,
}

/// The statistics of the cache of one tool.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct CacheMetrics {
    /// The number of calls by what the cache had for them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    results: BTreeMap<&'static str, u64>,
    /// The size of the kept answers.
    bytes: u64,
}

/// Durations of calls; zero if there were none.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[expect(clippy::struct_field_names, reason = "the unit")]
struct Durations {
    /// The mean.
    mean_ms: f64,
    /// The median: half of all calls were faster; estimated.
    p50_ms: f64,
    /// 95 of 100 calls were faster; estimated.
    p95_ms: f64,
    /// 99 of 100 calls were faster; estimated.
    p99_ms: f64,
}

impl Metrics {
    /// Returns the statistics of all tools and functions, or of those with this name.
    pub(crate) fn of(registry: &Registry, name: Option<&str>) -> Self {
        let shown = |all: Vec<(Arc<str>, ToolSnapshot)>| {
            let requested = all.into_iter().filter(|(known, read)| name.is_none_or(|name| read.is_called(name, known)));
            requested.map(|(name, read)| ToolMetrics::new(&name, &read)).collect()
        };
        Self { tools: shown(registry.tools()), functions: shown(registry.functions()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tools.is_empty() && self.functions.is_empty()
    }
}

impl ToolMetrics {
    #[expect(clippy::cast_precision_loss, reason = "per cent")]
    fn new(name: &str, read: &ToolSnapshot) -> Self {
        let calls = read.calls();
        let ran = calls.saturating_sub(read.outcome(Outcome::Rejected) + read.outcome(Outcome::Deferred));
        Self {
            name: name.into(),
            calls,
            outcomes: read.outcomes.iter().map(|(outcome, count)| (outcome.as_str(), *count)).collect(),
            failure_rate_percent: (read.failures() * 100) as f64 / ran.max(1) as f64,
            in_flight: read.in_flight,
            attempts: read.attempts,
            retries: read.retries,
            cache: read.cache.as_ref().map(|cache| CacheMetrics {
                results: cache.results.iter().map(|(result, count)| (result.as_str(), *count)).collect(),
                bytes: cache.bytes,
            }),
            duration: Durations::from(&read.durations()),
        }
    }
}

impl From<&HistogramSnapshot> for Durations {
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn from(read: &HistogramSnapshot) -> Self {
        Self {
            mean_ms: ms(read.sum) / read.count().max(1) as f64,
            p50_ms: ms(read.quantile(0.5)),
            p95_ms: ms(read.quantile(0.95)),
            p99_ms: ms(read.quantile(0.99)),
        }
    }
}
