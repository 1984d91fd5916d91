//! What a health report holds.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::check::CheckStatus;

/// Whether the server, or one of its tools, is of use.
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct HealthReport {
    /// The status of the whole: unhealthy where a critical check fails or a critical tool is unhealthy,
    /// degraded where anything else fails or warns.
    pub status: HealthStatus,
    /// How old the report is when it is handed out.
    #[serde(rename = "age_ms", serialize_with = "millis")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub age: Duration,
    /// Since when this is watched.
    #[serde(rename = "uptime_ms", serialize_with = "millis")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub uptime: Duration,
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

/// What one check found.
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
    #[serde(rename = "last_success_unix_ms", serialize_with = "moment", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "rmcp", schemars(with = "Option<u64>"))]
    pub last_success: Option<SystemTime>,
    /// How often it has failed since.
    pub consecutive_failures: u32,
}

/// How a tool does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct ToolHealth {
    /// The tool.
    pub tool: String,
    /// Healthy without failures in a row, degraded at one or two, unhealthy from three on. A tool that
    /// was never called is healthy; what callers do wrong does not count.
    pub status: HealthStatus,
    /// Whether the server is of no use while it is unhealthy.
    pub critical: bool,
    /// Calls in a row that did not get what they were for; an answer by a fallback is one.
    pub consecutive_failures: u32,
}

/// How a dependency does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct BreakerHealth {
    /// The breaker.
    pub breaker: String,
    /// Healthy while it is closed without failures in a row, degraded while it counts some or probes,
    /// unhealthy while it rejects: open, until its open period is over, or isolated by hand.
    pub status: HealthStatus,
    /// Where it stands.
    pub state: String,
    /// Failures in a row.
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

#[expect(clippy::ref_option, reason = "as serde calls it")]
fn moment<S: Serializer>(moment: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
    let since = moment.map(|moment| moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    since.map(crate::clock::saturating_millis).serialize(to)
}
