//! The series that the exporters publish for tools, functions and breakers: help texts, and how to read the values. Their
//! names are in [`names`].

#[cfg(feature = "deferred")]
pub(crate) mod deferred;
pub(crate) mod names;

use crate::breaker::{BreakerSeries, BreakerState};
use crate::connections::{ConnectionSnapshot, ConnectionState};
use crate::gate::Level;
use crate::outcomes::Rejected;
use crate::registry::Registry;
use crate::statistics::{ErrorCount, ToolSnapshot};

pub(crate) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// The statistics of a tool or function, with the name to publish.
pub(crate) struct NamedStatistics {
    pub(crate) name: String,
    pub(crate) read: ToolSnapshot,
}

impl NamedStatistics {
    /// Returns the statistics of each tool.
    pub(crate) fn tools(registry: &Registry) -> Vec<Self> {
        registry.tools().into_iter().map(|(name, read)| Self { name: name.to_string(), read }).collect()
    }

    /// Adds the statistics of each guarded function that is not a tool.
    pub(crate) fn add_functions(tools: &mut Vec<Self>, registry: &Registry) {
        for (name, read) in registry.functions() {
            let mut name = format!("fn {name}");
            // rmcp accepts any name for a tool, even this one.
            while tools.iter().any(|tool| tool.name == name) {
                name.insert_str(0, "fn ");
            }
            tools.push(Self { name, read });
        }
    }

    /// Returns the statistics of the requests of handlers. Their errors are published like those of tools.
    pub(crate) fn requests(registry: &Registry) -> Vec<Self> {
        let named = |(method, read)| Self { name: format!("request {method}"), read };
        registry.requests().into_iter().map(named).collect()
    }

    /// Returns the statistics of all tools and functions.
    #[cfg(feature = "otel")]
    pub(crate) fn all(registry: &Registry) -> Vec<Self> {
        let mut all = Self::tools(registry);
        Self::add_functions(&mut all, registry);
        all
    }
}

/// Reads the counts of a tool or function, each with its labels.
pub(crate) type Counts = fn(&ToolSnapshot) -> Vec<(Labels<'_>, u64)>;

pub(crate) const COUNTERS: &[(&str, &str, Counts)] = &[
    (names::CALLS.name, "Calls that ended, by how", |read| {
        read.outcomes.iter().map(|(is, count)| (vec![("outcome", is.as_str())], *count)).collect()
    }),
    (
        names::ERRORS.name,
        "Errors of guarded functions, by code, whether or not something else answered or the client gave up",
        |read| read.errors.iter().map(|error| (of_error(error), error.count)).collect(),
    ),
    (names::EXCUSED.name, "Calls that ran and ended with an error that is a mistake of the caller", |read| {
        vec![(Vec::new(), read.excused)]
    }),
    (names::RETRIES.name, "Attempts after the first, by the kind of the error before", |read| {
        let retried = read.retries_after.iter().filter(|(kind, count)| kind.is_retryable() || *count > 0);
        retried.map(|(kind, count)| (vec![("kind", kind.as_str())], *count)).collect()
    }),
    (names::RETRIES_SUPPRESSED.name, "Retries that were not made, and why", |read| {
        read.suppressed.iter().map(|(is, count)| (vec![("reason", is.as_str())], *count)).collect()
    }),
    (names::FALLBACKS.name, "Calls that something else answered, and what", |read| {
        read.fallbacks.iter().map(|(is, count)| (vec![("source", is.as_str())], *count)).collect()
    }),
    (names::CACHE.name, "Calls of functions that look for a kept answer first, and what there was", |read| {
        let results = read.cache.iter().flat_map(|cache| &cache.results);
        results.map(|(is, count)| (vec![("result", is.as_str())], *count)).collect()
    }),
    (names::TIMEOUTS.name, "Limits of time that were reached", |read| {
        read.timeouts.iter().map(|(is, count)| (vec![("scope", is.as_str())], *count)).collect()
    }),
    (names::REJECTED.name, "Attempts and calls that were not let run, and by what", |read| {
        read.rejected.iter().map(|(is, count)| (vec![("reason", is.as_str())], *count)).collect()
    }),
];

fn of_error(error: &ErrorCount) -> Labels<'_> {
    vec![("code", &*error.code), ("kind", error.kind.as_str()), ("severity", error.severity.as_str())]
}

/// Reads a value, if the tool or function has it.
pub(crate) type Count = fn(&ToolSnapshot) -> Option<u64>;

pub(crate) const GAUGES: &[(&str, &str, Count)] = &[
    (names::IN_FLIGHT.name, "Calls that are running", |read| Some(read.in_flight)),
    (names::WAITING.name, "Calls that wait for a slot of a bulkhead", |read| Some(read.waiting)),
    (names::CACHE_BYTES.name, "The size of the kept answers", |read| read.cache.as_ref().map(|cache| cache.bytes)),
];

pub(crate) const STATE: &str = "Where the breaker stands: 0 closed, 1 half-open, 2 open or isolated by hand";
pub(crate) const TRANSITIONS: &str = "How often the breaker has moved";
pub(crate) const BREAKER_REJECTED: &str = "Calls that the breaker did not let through";
pub(crate) const RESULTS: &str = "Results of attempts, by what they were for the breaker";
pub(crate) const STALE: &str = "Results that came after the breaker had moved on";
pub(crate) const HEALTH: &str = "What the last health report said of the check: 0 pass, 1 warn, 2 fail";

pub(crate) const LEVEL: &str = "The level of service that holds: 1 for that level, 0 for the others";

/// Reads `resilient_level`: each level, and whether it holds.
pub(crate) fn levels(registry: &Registry) -> impl Iterator<Item = (&'static str, u64)> {
    let held = registry.gate().level();
    Level::ALL.iter().map(move |level| (level.as_str(), u64::from(*level == held)))
}

/// Reads a value of a connection to another server.
pub(crate) type OfConnection = fn(&ConnectionSnapshot) -> u64;

pub(crate) const CONNECTION_UP: (&str, &str, OfConnection) =
    (names::CONNECTION_UP.name, "Whether another server answers: 1 if it does", |read| {
        u64::from(read.state == ConnectionState::Up)
    });

pub(crate) const CONNECTION_COUNTERS: [(&str, &str, OfConnection); 2] = [
    (names::CONNECTION_RESTARTS.name, "Attempts to connect to another server, after the first", |read| read.restarts),
    (names::CONNECTION_JUNK_LINES.name, "Lines of another server that are none of the protocol", |read| {
        read.junk_lines
    }),
];

/// Reads `resilient_breaker_results`.
pub(crate) fn results(breaker: &BreakerSeries) -> [(&'static str, u64); 3] {
    [("success", breaker.successes), ("failure", breaker.failures), ("neutral", breaker.neutral)]
}

/// Returns the counts of a request of a handler, of those that a table in [`COUNTERS`] has for tools.
pub(crate) fn of_request<'a>(name: &str, counts: Counts, read: &'a ToolSnapshot) -> Vec<(Labels<'a>, u64)> {
    match name {
        _ if name == names::ERRORS.name => counts(read),
        // The other guards are only on tools and functions.
        _ if name == names::REJECTED.name => {
            vec![(vec![("reason", Rejected::Unauthorized.as_str())], read.rejected(Rejected::Unauthorized))]
        }
        _ => Vec::new(),
    }
}

#[cfg(feature = "alerts")]
pub(crate) const ALERTS_LOST: &str = "Alerts that began to fire or were resolved and did not reach a sink, by its kind";

#[cfg(feature = "replicas")]
pub(crate) const DISTRIBUTED_DEGRADED: &str =
    "How often this replica did without the state that all replicas share, by the part that needed it";

/// Reads `resilient_distributed_degraded` by part, or nothing without a shared state.
#[cfg(feature = "replicas")]
pub(crate) fn distributed_degraded(registry: &Registry) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = registry.replicas.get().map(|replicas| replicas.degraded_counts());
    counts.into_iter().flatten().map(|(part, count)| (part.as_str(), count))
}

#[cfg(feature = "http")]
pub(crate) const ADMIN_REFUSED: &str = "Requests that the routes for operators refused, and why";

/// Returns the value of `resilient_breaker_state`.
pub(crate) const fn number(state: BreakerState) -> u64 {
    match state {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open | BreakerState::Isolated => 2,
    }
}
