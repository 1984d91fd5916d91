//! What operators install beside a server: alert rules for Prometheus and a dashboard for Grafana, generated from the
//! series of [`export::prometheus`](crate::export::prometheus) and from the policies of the server.
//!
//! Print both from the server that they are for, after its routers are built: the thresholds come from its timeouts.
//!
//! ```
//! use resilient_runtime::operations::{self, PrometheusRules};
//!
//! let rules = operations::prometheus_rules();
//! assert!(rules.contains("alert: ResilientBreakerOpen"));
//! let rules = PrometheusRules::new().job("shop").runbooks("https://wiki.example/runbooks/").text();
//! assert!(rules.contains(r#"up{job="shop"} == 0"#));
//! assert!(rules.contains("runbook_url: \"https://wiki.example/runbooks/breaker-open.md\""));
//! let dashboard = operations::grafana_dashboard();
//! assert!(dashboard.contains("resilient_breaker_state"));
//! ```
//!
//! # Rules
//!
//! Each alert has the labels `severity` (`critical`: act within 5 minutes, `high`: 15 minutes, `medium`: an hour, `low`: a
//! day) and `job`, and those of the table; the annotations `summary`, `description` and `runbook_url`. Check the text with
//! `promtool check rules`.
//!
//! | alert | severity | fires if | for | labels |
//! |---|---|---|---|---|
//! | `ResilientServerDown` | critical | Prometheus cannot scrape the server | 1 m | `instance` |
//! | `ResilientErrorRatioHigh` | critical | more than 5 % of the calls in 5 minutes failed, of at least 20 | 2 m | |
//! | `ResilientErrorRatioRaised` | low | more than 1 %, of at least 20 | 10 m | |
//! | `ResilientDependencyErrorRatioHigh` | high | more than 10 % of the results in 5 minutes are failures for a breaker, of at least 20 | 3 m | `breaker` |
//! | `ResilientErrorsCritical` | critical | more than 100 errors of a code of a tool within an hour | 5 m | `tool`, `code` |
//! | `ResilientErrorsHigh` | high | more than 50 | 10 m | `tool`, `code` |
//! | `ResilientErrorsMedium` | medium | more than 10 | 30 m | `tool`, `code` |
//! | `ResilientSlowP95` | high | the 95th percentile of at least 20 calls in 5 minutes is above 80 % of the tool's timeout | 5 m | `tool` |
//! | `ResilientSlowP99` | medium | the 99th percentile of at least 100 calls in 5 minutes is above 5 s | 5 m | |
//! | `ResilientSlowerThanYesterday` | low | the 95th percentile of an hour is above 1.2 times that of a day before, of at least 100 calls each | 15 m | `tool` |
//! | `ResilientBreakerOpen` | high | a breaker is open, and is asked | 1 m | `instance`, `breaker` |
//! | `ResilientMemoryHigh` | medium | the process has more than 85 % of its memory limit | 5 m | `instance` |
//! | `ResilientQueueGrowing` | medium | within 10 minutes, more than 100 more calls wait for a bulkhead, or more than half of the places in all queues if that is fewer | 5 m | `instance` |
//! | `ResilientDeadLetters` | medium | deferred writes were given up | 1 m | |
//! | `ResilientLevelNotNormal` | medium | the level of service is not `normal` | 10 m | `instance` |
//! | `ResilientAccessRefused` | medium | more than 10 wrong tokens and refused authorizations within 10 minutes | 1 m | |
//! | `ResilientBurnRateFast` | critical | calls fail at 14.4 times the rate that 99.9 % admits, for 1 h and 5 m | 2 m | |
//! | `ResilientBurnRateMedium` | high | at 6 times, for 6 h and 30 m | 5 m | |
//! | `ResilientBurnRateSlow` | low | at the same rate, for 3 d and 6 h | 30 m | |
//!
//! A call *fails* with the outcome `error`, `timeout` or `panic`, unless the error is the caller's mistake; calls that were
//! rejected, cancelled or deferred are left out. Burn rates need at least 10 failed calls in the longer window. Errors by
//! code are those for which the operator, the service behind or the server is responsible. Guarded functions count only
//! on a server without tools.
//!
//! An alert about calls also needs a call within half of its `for`, at least within 45 s: an idle server begins no alert
//! about an outage that is over, except within this time after its last call. Scrape every 15 seconds, or at least every
//! two minutes: with less than two scrapes in 45 s, an alert needs a call between the last two scrapes.
//!
//! Percentiles are estimated within the buckets of the OpenTelemetry conventions, of which the upper ones are at 1, 2, 5,
//! 10, 30, 60, 120 and 300 s. `ResilientSlowP95` therefore fires for a tool whose timeout is 8 s if 5 % of its calls take
//! longer than 5 s, because such calls may take up to 10 s. There is no rule for tools whose timeout is 375 s or longer.

mod dashboard;
mod expressions;
mod policies;
mod rules;
#[cfg(test)]
mod tests;
mod yaml;

pub use rules::PrometheusRules;

use crate::registry::Registry;
use policies::Policies;

/// Returns the rules for the policies of this process, with the defaults of [`PrometheusRules`].
///
/// ```
/// assert!(resilient_runtime::operations::prometheus_rules().starts_with("# "));
/// ```
#[must_use]
pub fn prometheus_rules() -> String {
    PrometheusRules::new().text()
}

/// Returns the rules for the policies of a registry, with the defaults of [`PrometheusRules`].
///
/// ```
/// use resilient_runtime::{Registry, operations};
///
/// assert!(operations::prometheus_rules_of(&Registry::new()).contains("ResilientServerDown"));
/// ```
#[must_use]
pub fn prometheus_rules_of(registry: &Registry) -> String {
    PrometheusRules::new().text_of(registry)
}

/// Returns a dashboard for Grafana 10 or later, as JSON for its import or provisioning, for the policies of this process.
///
/// It has rows for the overview, the objectives, tools, breakers, errors, latency, deferred writes, the level of service
/// and the process, and variables for the data source, the job, the instance and the tool.
///
/// ```
/// let dashboard: serde_json::Value = serde_json::from_str(&resilient_runtime::operations::grafana_dashboard())?;
/// assert_eq!(dashboard["templating"]["list"][0]["name"], "datasource");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[must_use]
pub fn grafana_dashboard() -> String {
    grafana_dashboard_of(Registry::global())
}

/// Returns the dashboard of [`grafana_dashboard`] for the policies of a registry.
///
/// ```
/// use resilient_runtime::{Registry, operations};
///
/// assert!(operations::grafana_dashboard_of(&Registry::new()).starts_with('{'));
/// ```
#[must_use]
pub fn grafana_dashboard_of(registry: &Registry) -> String {
    dashboard::text(&Policies::of(registry))
}
