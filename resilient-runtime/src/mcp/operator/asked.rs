//! The arguments of the ready-made tools.

use rmcp::schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct HealthCheck {
    /// Whether to add what the checks tell beside their message.
    #[serde(default)]
    pub(super) include_details: bool,
    /// Whether to run the checks now, even where a report is younger than 30 s, unless it is younger than one.
    #[serde(default)]
    pub(super) force: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct GetMetrics {
    /// The tool; without it all of them.
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
    /// The tool; without it all of them.
    #[serde(default)]
    pub(super) tool: Option<String>,
    /// The most single errors to show.
    #[serde(default = "RecentErrors::usual")]
    #[schemars(range(min = 0, max = 100))]
    pub(super) limit: u32,
}

impl RecentErrors {
    const fn usual() -> u32 {
        20
    }
}
