//! What a health report holds.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::outcomes::CheckStatus;
use crate::statistics::ErrorCount;

/// Whether the server, or one of its tools, is of use.
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
    /// It works in part, or not as well as it should.
    Degraded,
    /// It does not work.
    Unhealthy,
}

impl HealthStatus {
    /// The word used in reports and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// What all checks found, at one time.
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
    /// The status of the whole: unhealthy where a critical check fails or a critical tool is unhealthy,
    /// degraded where anything else fails or warns.
    pub status: HealthStatus,
    /// When it was made, by the wall clock.
    #[serde(rename = "at_unix_ms", serialize_with = "moment")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub at: SystemTime,
    /// How old the report is when it is handed out: how long ago its checks began.
    #[serde(rename = "age_ms", serialize_with = "millis")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub age: Duration,
    /// Since when this is watched.
    #[serde(rename = "uptime_ms", serialize_with = "millis")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub uptime: Duration,
    /// The version of the server, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How many checks there are, and what they found.
    pub summary: Summary,
    /// What each check found.
    pub checks: Vec<CheckReport>,
    /// How each known tool does.
    pub tools: Vec<ToolHealth>,
    /// How each dependency does that has a breaker.
    pub breakers: Vec<BreakerHealth>,
}

impl HealthReport {
    /// The report without what only those see who ask for details.
    #[must_use]
    pub fn without_details(mut self) -> Self {
        for check in &mut self.checks {
            check.details = None;
        }
        self
    }
}

/// How many checks there are, and what they found.
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
    /// All of them.
    pub total: usize,
    /// Those that passed.
    pub passed: usize,
    /// Those that warned.
    pub warned: usize,
    /// Those that failed.
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

/// What one check found.
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
    /// Its name.
    pub name: String,
    /// What it found.
    pub status: CheckStatus,
    /// Whether the server is of no use while it fails.
    pub critical: bool,
    /// What it has to say.
    pub message: String,
    /// What else it has to say to those who ask for details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// How long it took.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub took: Duration,
    /// When it last passed.
    #[serde(rename = "last_success_unix_ms", serialize_with = "maybe_moment", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "rmcp", schemars(with = "Option<u64>"))]
    pub last_success: Option<SystemTime>,
    /// How often it has failed in a row; a warning ends the row as a pass does.
    pub consecutive_failures: u32,
}

/// How a tool does.
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
    /// The tool.
    pub tool: String,
    /// Healthy without failures in a row, degraded at one or two, unhealthy from three on: but degraded if
    /// a fallback answered the last call, or once the last failure is older than a minute, so that somebody
    /// may try it again. A tool that was never called is healthy; what callers do wrong does not count.
    pub status: HealthStatus,
    /// Whether the server is of no use while it is unhealthy.
    pub critical: bool,
    /// Calls in a row that did not get what they were for; an answer by a fallback is one.
    pub consecutive_failures: u32,
    /// The last error that a call ended with, a caller's fault or not.
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
    /// Its code.
    pub code: String,
    /// When it was.
    #[serde(rename = "at_unix_ms", serialize_with = "moment")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub at: SystemTime,
}

impl From<&ErrorCount> for LastError {
    fn from(error: &ErrorCount) -> Self {
        Self { code: error.code.to_string(), at: error.last }
    }
}

/// How a dependency does.
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
    /// The breaker.
    pub breaker: String,
    /// Closed it is healthy without failures in a row, degraded at one or two, unhealthy from three on.
    /// It is degraded while it probes, and unhealthy while it rejects: open, until its open period is over,
    /// or isolated by hand. Of one with a key it is that of the key that stands worst, those left out whose
    /// open period is over.
    pub status: HealthStatus,
    /// Where it stands.
    pub state: String,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// How long it still rejects.
    #[serde(rename = "retry_after_ms", serialize_with = "maybe_millis", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "rmcp", schemars(with = "Option<u64>"))]
    pub retry_after: Option<Duration>,
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
