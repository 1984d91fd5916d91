//! The types of a health report.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::Value;

#[cfg(feature = "alerts")]
use crate::alerting::Alert;
use crate::gate::Level;
use crate::outcomes::CheckStatus;
use crate::statistics::ErrorCount;

/// The health of the server, a tool or a dependency.
///
/// ```
/// use resilient_runtime::health::HealthStatus;
///
/// assert!(HealthStatus::Unhealthy > HealthStatus::Degraded);
/// assert_eq!(HealthStatus::Healthy.as_str(), "healthy");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It works.
    Healthy,
    /// It works partly, or not as well as it should.
    Degraded,
    /// It does not work.
    Unhealthy,
}

impl HealthStatus {
    /// Returns the word used in reports and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// A report of all checks, tools and breakers at one time.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::health::{CheckResult, Health, HealthCheck, HealthStatus};
///
/// let health = Health::new().check(HealthCheck::new("database", || async { CheckResult::pass("answers") }));
/// let report = health.report().await;
/// assert_ne!(report.status, HealthStatus::Unhealthy);
/// assert_eq!(serde_json::to_value(&report.without_details()).unwrap()["summary"]["failed"], 0);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct HealthReport {
    /// The overall status: unhealthy if a critical check fails or a critical tool is unhealthy, degraded if anything
    /// else fails or warns.
    pub status: HealthStatus,
    /// When the report was made, by the wall clock.
    #[serde(rename = "at_unix_ms", serialize_with = "moment")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub at: SystemTime,
    /// The age of the report when it was returned: the time since its checks started.
    #[serde(rename = "age_ms", serialize_with = "millis")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub age: Duration,
    /// How long the server has been monitored.
    #[serde(rename = "uptime_ms", serialize_with = "millis")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub uptime: Duration,
    /// The level of service that held when the report was returned. See [`gate`](crate::gate).
    #[serde(serialize_with = "level")]
    #[cfg_attr(feature = "rmcp", schemars(with = "String"))]
    pub level: Level,
    /// The version of the server, if set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The numbers of checks by their status.
    pub summary: Summary,
    /// The result of each check.
    pub checks: Vec<CheckReport>,
    /// The health of each known tool.
    pub tools: Vec<ToolHealth>,
    /// The health of each dependency that has a breaker.
    pub breakers: Vec<BreakerHealth>,
    /// The alerts that fired when the report was returned, the most urgent first. See [`alerts`](crate::alerts).
    #[cfg(feature = "alerts")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
}

impl HealthReport {
    /// Removes the details of all checks from the report.
    #[must_use]
    pub fn without_details(mut self) -> Self {
        for check in &mut self.checks {
            check.details = None;
        }
        self
    }
}

/// The numbers of checks by their status.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::health::{CheckResult, Health, HealthCheck};
///
/// let health = Health::new().check(HealthCheck::new("database", || async { CheckResult::pass("answers") }));
/// let report = health.report().await;
/// assert_eq!(report.summary.total, report.checks.len());
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct Summary {
    /// The number of all checks.
    pub total: usize,
    /// The number of checks that passed.
    pub passed: usize,
    /// The number of checks that warned.
    pub warned: usize,
    /// The number of checks that failed.
    pub failed: usize,
}

impl Summary {
    pub(super) fn of(checks: &[CheckReport]) -> Self {
        let found = |status| checks.iter().filter(|check| check.status == status).count();
        Self {
            total: checks.len(),
            passed: found(CheckStatus::Pass),
            warned: found(CheckStatus::Warn),
            failed: found(CheckStatus::Fail),
        }
    }
}

/// The result of one check.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::health::{CheckResult, Health, HealthCheck, CheckStatus};
///
/// let health = Health::new().check(HealthCheck::new("database", || async { CheckResult::pass("answers") }));
/// let report = health.report().await;
/// let database = report.checks.iter().find(|check| check.name == "database").unwrap();
/// assert_eq!((database.status, database.message.as_str()), (CheckStatus::Pass, "answers"));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct CheckReport {
    /// The name of the check.
    pub name: String,
    /// The status that the check reported.
    pub status: CheckStatus,
    /// Whether the server is unhealthy while this check fails.
    pub critical: bool,
    /// The message of the check.
    pub message: String,
    /// Further details; present only in reports with details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// How long the check took.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub took: Duration,
    /// When the check last passed.
    #[serde(rename = "last_success_unix_ms", serialize_with = "maybe_moment", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "rmcp", schemars(with = "Option<u64>"))]
    pub last_success: Option<SystemTime>,
    /// The number of failures in a row. Both a pass and a warning end the row.
    pub consecutive_failures: u32,
}

/// The health of a tool.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::health::Health;
///
/// let report = Health::new().report().await;
/// for tool in &report.tools {
///     eprintln!("{}: {}, {} failures in a row", tool.tool, tool.status.as_str(), tool.consecutive_failures);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct ToolHealth {
    /// The name of the tool.
    pub tool: String,
    /// Healthy without failures in a row, degraded at one or two, unhealthy from three on. With three or more it is
    /// still only degraded if a fallback answered the last call, or if the last failure is more than a minute old, so
    /// that the tool can be tried again. A tool that was never called is healthy. Callers' mistakes do not count.
    pub status: HealthStatus,
    /// Whether the server is unhealthy while this tool is.
    pub critical: bool,
    /// The number of calls in a row that did not succeed. A call that a fallback answered counts as one.
    pub consecutive_failures: u32,
    /// The last error that a call ended with, whether or not it was the caller's fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

/// The last error of a tool.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::health::Health;
///
/// let report = Health::new().report().await;
/// for error in report.tools.iter().filter_map(|tool| tool.last_error.as_ref()) {
///     eprintln!("{} at {:?}", error.code, error.at);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct LastError {
    /// The code of the error.
    pub code: String,
    /// When it occurred.
    #[serde(rename = "at_unix_ms", serialize_with = "moment")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub at: SystemTime,
}

impl From<&ErrorCount> for LastError {
    fn from(error: &ErrorCount) -> Self {
        Self { code: error.code.to_string(), at: error.last }
    }
}

/// The health of a dependency, according to its breaker.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::health::Health;
///
/// let report = Health::new().report().await;
/// for breaker in &report.breakers {
///     eprintln!("{}: {}", breaker.breaker, breaker.state);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct BreakerHealth {
    /// The name of the breaker.
    pub breaker: String,
    /// While the breaker is closed: healthy without failures in a row, degraded at one or two, unhealthy from three on.
    /// Degraded while it probes, and unhealthy while it rejects: while it is open and its open period lasts, or
    /// isolated by hand. For a breaker with partition keys, the status of the worst key, except for keys whose open
    /// period is over.
    pub status: HealthStatus,
    /// The state of the breaker.
    pub state: String,
    /// The number of failures since the last success.
    pub consecutive_failures: u32,
    /// The remaining time for which the breaker rejects calls.
    #[serde(rename = "retry_after_ms", serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "rmcp", schemars(with = "Option<u64>"))]
    pub retry_after: Option<Duration>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn level<S: Serializer>(level: &Level, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(level.as_str())
}

fn millis<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(crate::clock::saturating_millis(*duration))
}

#[expect(clippy::ref_option, reason = "as serde calls it")]
fn maybe_millis<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    duration.map(crate::clock::saturating_millis).serialize(to)
}

fn moment<S: Serializer>(moment: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(crate::clock::unix_millis(*moment))
}

#[expect(clippy::ref_option, reason = "as serde calls it")]
fn maybe_moment<S: Serializer>(at: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
    at.map(crate::clock::unix_millis).serialize(to)
}
