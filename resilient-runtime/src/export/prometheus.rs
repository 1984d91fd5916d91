//! The statistics as Prometheus reads them: in its own text format, or as `OpenMetrics` text. See [`Format`].
//!
//! Every series of a known tool, function or breaker is there from the start, with a count of zero;
//! but for errors by code, which are there once they have happened. A tool is known once its router has
//! been made: by `Resilience::start()`, by whoever calls the router's function, else by the first client
//! that asks. Labels are names in the code and words of closed lists: nothing that a client sends
//! becomes one.
//!
//! A call is a call whoever makes it: a tool's function that another one calls counts for itself in the
//! series of `resilient_`, and only what clients ask for is an operation.
//!
//! | name | labels |
//! |---|---|
//! | `mcp_server_operation_duration_seconds` | `mcp_method_name`, `gen_ai_tool_name` (as clients know it; empty for all that are not there), `error_type` (empty where it was no error), by the OpenTelemetry conventions for MCP |
//! | `resilient_calls_total` | `tool`, `outcome` |
//! | `resilient_errors_total` | `tool`, `code`, `kind`, `severity`; whether or not something else answered or the client gave up |
//! | `resilient_attempt_duration_seconds` | `breaker`, or where there is none `tool`, and `outcome` |
//! | `resilient_retries_total`, `resilient_retries_suppressed_total` | `tool`, `kind`; `tool`, `reason` |
//! | `resilient_breaker_state` | `breaker`: 0 closed, 1 half-open, 2 open or isolated |
//! | `resilient_breaker_transitions_total` | `breaker`, `from`, `to` |
//! | `resilient_breaker_rejected_total`, `resilient_breaker_stale_total` | `breaker` |
//! | `resilient_fallbacks_total` | `tool`, `source` |
//! | `resilient_timeouts_total` | `tool`, `scope` |
//! | `resilient_rejected_total` | `tool`, `reason` |
//! | `resilient_in_flight`, `resilient_waiting` | `tool` |
//! | `resilient_health_status` | `check`: 0 pass, 1 warn, 2 fail, of the last report |
//! | `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_threads`, `process_open_fds`, `process_max_fds`, `process_start_time_seconds` | of this process, on Linux |
//!
//! A guarded function that is no tool is `fn` and its name where a tool has its name. Breakers of the
//! keys of one name are one series: its state is that of the worst, its counts are the sums.

use std::sync::Arc;

pub use super::collector::Statistics;
pub use super::format::{CONTENT_TYPE, Format};
use crate::registry::Registry;

/// Every series of a registry, as `OpenMetrics` text. For the Prometheus text format, see [`Format::text`].
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

/// Every series of this process, as `OpenMetrics` text. For the Prometheus text format, see [`Format::global_text`].
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
