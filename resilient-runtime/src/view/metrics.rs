//! What each tool has counted, in short.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::ms;
use crate::outcomes::Outcome;
use crate::registry::Registry;
use crate::statistics::{HistogramSnapshot, ToolSnapshot};

/// What has been counted since the start of this server.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
pub(crate) struct Metrics {
    /// Of each tool.
    tools: Vec<Counted>,
    /// Of each guarded function that is no tool.
    functions: Vec<Counted>,
}

/// What has been counted of one tool.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Counted {
    /// Its name.
    name: String,
    /// Calls that have ended.
    calls: u64,
    /// The same, by how they ended.
    outcomes: BTreeMap<&'static str, u64>,
    /// Calls that failed, of those that ran, in per cent. Callers' mistakes, cancelled calls and calls
    /// that a guard rejected are not failures.
    failure_rate_percent: f64,
    /// Calls that are running.
    in_flight: u64,
    /// Runs of the tool itself.
    attempts: u64,
    /// Those of them that were retries.
    retries: u64,
    /// How long calls took, whatever their answer.
    duration: Durations,
}

/// Durations of calls; zero where there were none.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[expect(clippy::struct_field_names, reason = "the unit")]
struct Durations {
    /// The mean.
    mean_ms: f64,
    /// Half of all calls were faster; estimated.
    p50_ms: f64,
    /// 95 of 100 calls were faster; estimated.
    p95_ms: f64,
    /// 99 of 100 calls were faster; estimated.
    p99_ms: f64,
}

impl Metrics {
    /// Of everything that is called, or of what has this name.
    pub(crate) fn of(registry: &Registry, name: Option<&str>) -> Self {
        let shown = |all: Vec<(Arc<str>, ToolSnapshot)>| {
            let asked_for = all.into_iter().filter(|(known, read)| name.is_none_or(|name| read.is_called(name, known)));
            asked_for.map(|(name, read)| Counted::new(&name, &read)).collect()
        };
        Self { tools: shown(registry.tools()), functions: shown(registry.functions()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tools.is_empty() && self.functions.is_empty()
    }
}

impl Counted {
    #[expect(clippy::cast_precision_loss, reason = "per cent")]
    fn new(name: &str, read: &ToolSnapshot) -> Self {
        let calls = read.calls();
        let ran = calls.saturating_sub(read.outcome(Outcome::Rejected));
        Self {
            name: name.into(),
            calls,
            outcomes: read.outcomes.iter().map(|(outcome, count)| (outcome.as_str(), *count)).collect(),
            failure_rate_percent: (read.failures() * 100) as f64 / ran.max(1) as f64,
            in_flight: read.in_flight,
            attempts: read.attempts,
            retries: read.retries,
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
