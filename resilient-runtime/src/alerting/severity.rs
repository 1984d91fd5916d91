//! How urgent an alert is.

// Without the alerts in the process, only the rules for Prometheus name it.
#![cfg_attr(not(feature = "alerts"), allow(unreachable_pub))]

use serde::Serialize;

/// How urgent an alert is: the label `severity`.
///
/// ```
/// # #[cfg(feature = "alerts")] {
/// use resilient_runtime::alerts::AlertSeverity;
///
/// assert!(AlertSeverity::Critical > AlertSeverity::High);
/// assert_eq!(AlertSeverity::Critical.as_str(), "critical");
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AlertSeverity {
    /// Act within a day.
    Low,
    /// Act within an hour.
    Medium,
    /// Act within 15 minutes.
    High,
    /// Act within 5 minutes.
    Critical,
}

impl AlertSeverity {
    /// All severities, the most urgent first.
    #[cfg(feature = "alerts")]
    pub const ALL: &'static [Self] = &[Self::Critical, Self::High, Self::Medium, Self::Low];

    /// Returns the word used in labels, reports and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
