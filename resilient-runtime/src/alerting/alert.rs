//! One alert, as a registry shows it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::AlertSeverity;

/// The state of an alert.
///
/// ```
/// use resilient_runtime::alerts::AlertState;
///
/// assert_eq!(AlertState::Firing.as_str(), "firing");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AlertState {
    /// Its condition holds, but not for as long as its rule requires.
    Pending,
    /// Its condition has held for as long as its rule requires, and still holds.
    Firing,
    /// It fired, and its condition no longer holds.
    Resolved,
}

impl AlertState {
    /// Returns the word used in reports and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert: a rule whose condition holds for something, such as one tool or one breaker.
///
/// It contains names from the code and numbers, and nothing that a client has sent.
///
/// ```
/// use resilient_runtime::Registry;
///
/// for alert in Registry::global().alerts() {
///     eprintln!("{} ({}): {}", alert.name, alert.severity.as_str(), alert.summary);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[non_exhaustive]
pub struct Alert {
    /// The name of the rule, such as `ResilientBreakerOpen`.
    pub name: &'static str,
    /// How urgent it is.
    pub severity: AlertSeverity,
    /// What the alert is about, such as `tool` or `breaker`, each with its name. Empty for the whole server.
    pub labels: BTreeMap<&'static str, String>,
    /// What is wrong, in one line.
    pub summary: String,
    /// What it means and where to look.
    pub description: String,
    /// The state of the alert.
    pub state: AlertState,
    /// When it began to be pending, or to fire if it fires or did.
    #[serde(rename = "since_unix_ms", serialize_with = "moment")]
    #[cfg_attr(feature = "rmcp", schemars(with = "u64"))]
    pub since: SystemTime,
    /// When it was resolved.
    #[serde(rename = "ended_unix_ms", serialize_with = "maybe_moment", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "rmcp", schemars(with = "Option<u64>"))]
    pub ended: Option<SystemTime>,
    /// The measured value that the rule compares with its threshold, as it was last. It is a finite number.
    pub value: f64,
    /// The name of the page that says what to do, in the folder of the runbooks.
    pub runbook: &'static str,
}

fn moment<S: Serializer>(moment: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(crate::clock::unix_millis(*moment))
}

#[expect(clippy::ref_option, reason = "as serde calls it")]
fn maybe_moment<S: Serializer>(at: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
    at.map(crate::clock::unix_millis).serialize(to)
}
