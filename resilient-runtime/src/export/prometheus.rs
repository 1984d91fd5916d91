//! The statistics in the Prometheus text format or as `OpenMetrics` text. See [`Format`].
//!
//! Every series of a known tool, function or breaker is present from the start, with a count of zero, except for errors
//! by code, which appear when they first occur. A tool is known once its router has been built: by
//! `Resilience::start()`, by a call of the router's function, or else by the first client's request. Label values are
//! names in the code and words of closed lists; nothing that a client sends becomes a label value.
//!
//! The series with the prefix `resilient_` count every call, including those of a tool's function by another function.
//! Only requests of clients count as operations. The series of an MCP method that a handler serves itself appear when its
//! first request begins.
//!
//! | name | labels |
//! |---|---|
//! | `mcp_server_operation_duration_seconds` | `mcp_method_name`, `gen_ai_tool_name` (the name that clients use; empty for all tools that do not exist), `error_type` (empty without an error), by the OpenTelemetry conventions for MCP; also requests and notifications that a handler with `#[resilient]` serves itself, with an empty `gen_ai_tool_name` |
//! | `resilient_calls_total` | `tool`, `outcome` |
//! | `resilient_errors_total` | `tool`, `code`, `kind`, `severity`; also counts errors that a fallback replaced, errors of cancelled calls, and errors of other requests, whose `tool` is the MCP method |
//! | `resilient_attempt_duration_seconds` | `breaker`, or `tool` if there is no breaker, and `outcome` |
//! | `resilient_excused_total` | `tool`; calls that `resilient_calls_total` counts as `error`, although the error is a mistake of the caller |
//! | `resilient_retries_total`, `resilient_retries_suppressed_total` | `tool`, `kind`; `tool`, `reason` |
//! | `resilient_breaker_state` | `breaker`: 0 closed, 1 half-open, 2 open or isolated; an open breaker whose open period is over is half-open, because the next call probes |
//! | `resilient_breaker_transitions_total` | `breaker`, `from`, `to` |
//! | `resilient_breaker_results_total` | `breaker`, `result`: `success`, `failure`, `neutral` |
//! | `resilient_breaker_rejected_total`, `resilient_breaker_stale_total` | `breaker` |
//! | `resilient_fallbacks_total` | `tool`, `source` |
//! | `resilient_cache_total` | `tool`, `result`, for functions with `cache(fresh ..)` |
//! | `resilient_cache_bytes` | `tool`, for functions with a cache |
//! | `resilient_timeouts_total` | `tool`, `scope` |
//! | `resilient_rejected_total` | `tool`, `reason`; `unauthorized` also for other requests, whose `tool` is the MCP method |
//! | `resilient_in_flight`, `resilient_waiting` | `tool` |
//! | `resilient_health_status` | `check`: 0 pass, 1 warn, 2 fail, of the last report |
//! | `resilient_level` | `level`: 1 for the level that holds, 0 for the others |
//! | `resilient_connection_up`, `resilient_connection_restarts_total`, `resilient_connection_junk_lines_total` | `server`; of each of the [`connections`](crate::connections) to other servers, if there are any |
//! | `resilient_deferred_total` | `tool`, `result`: `accepted`, `done`, `retried`, `dead` and others; once there is a store of deferred writes |
//! | `resilient_deferred_entries` | `state`; `resilient_deferred_oldest_seconds`, without labels, is the age of the oldest entry that waits or runs |
//! | `resilient_deferred_interrupted_tries` | none; tries of these entries whose process died or hung |
//! | `resilient_deferred_counted_seconds` | none; the age of the last count of the store, which the three above show |
//! | `resilient_distributed_degraded_total` | `part`: `rate_limit`, `breaker`; how often this replica did without the state that all replicas share, once there is one ([`replicas`](crate::Resilience::shared)) |
//! | `resilient_admin_refused_total` | `reason`; requests that the routes for operators refused, once there are such routes |
//! | `resilient_memory_limit_bytes` | none; the limit of the control groups of this process, or the memory of the machine, on Linux |
//! | `resilient_alerts_lost_total` | `sink`; changes of alerts that did not reach a sink, once the process evaluates [`alerts`](crate::alerts) |
//! | `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_threads`, `process_open_fds`, `process_max_fds`, `process_start_time_seconds` | of this process, on Linux |
//!
//! For a guarded function that is not a tool, the label `tool` is `fn` and its name. The breakers of one name's
//! partition keys share one series: its state is that of the worst breaker, and its counts are sums.
//!
//! [`operations`](crate::operations) generates alert rules and a dashboard for these series.
//!
//! Processes that share a store of deferred writes all report all of its entries for their server. Use the maximum of
//! `resilient_deferred_entries`, not the sum. They are counted every few seconds in the background, so that no export
//! waits for the store.

use std::sync::Arc;

pub use super::collector::Statistics;
pub use super::format::{CONTENT_TYPE, Format};
use crate::registry::Registry;

/// Returns every series of a registry as `OpenMetrics` text. For the Prometheus text format, see [`Format::text`].
///
/// ```
/// use std::sync::Arc;
/// use resilient_runtime::{Registry, export::prometheus};
///
/// let text = prometheus::text(&Arc::new(Registry::new()));
/// assert!(text.ends_with("# EOF\n"));
/// ```
#[must_use]
pub fn text(registry: &Arc<Registry>) -> String {
    Format::OpenMetrics.text(registry)
}

/// Returns every series of this process as `OpenMetrics` text. For the Prometheus text format, see
/// [`Format::global_text`].
///
/// ```
/// use resilient_runtime::export::prometheus;
///
/// let (content_type, body) = (prometheus::CONTENT_TYPE, prometheus::global_text());
/// assert!(content_type.starts_with("application/openmetrics-text") && body.ends_with("# EOF\n"));
/// ```
#[must_use]
pub fn global_text() -> String {
    Format::OpenMetrics.global_text()
}
