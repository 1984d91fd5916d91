//! The arguments of the ready-made tools.

use rmcp::schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct HealthCheck {
    /// Whether to include the details of the checks.
    #[serde(default)]
    pub(super) include_details: bool,
    /// Whether to run the checks now instead of returning a report that is up to 30 s old. A report that is younger
    /// than 1 s is still returned.
    #[serde(default)]
    pub(super) force: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct GetMetrics {
    /// The name of a tool; by default all tools.
    #[serde(default)]
    pub(super) tool: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct CircuitStatus {}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct RecentErrors {
    /// The name of a tool; by default all tools.
    #[serde(default)]
    pub(super) tool: Option<String>,
    /// The maximum number of single errors.
    #[serde(default = "RecentErrors::usual")]
    #[schemars(range(min = 0, max = 100))]
    pub(super) limit: u32,
}

impl RecentErrors {
    const fn usual() -> u32 {
        20
    }
}
