//! How urgent an alert is.

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
    /// Look at it when there is time.
    Low,
    /// Look at it during the day.
    Medium,
    /// Look at it soon.
    High,
    /// Look at it now.
    Critical,
}

impl AlertSeverity {
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
