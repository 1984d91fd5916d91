//! The rows of the dashboard.

mod calls;
mod objectives;
mod server;

use super::panel::Panel;
use crate::operations::policies::Policies;

/// The matchers of the servers that the variables select.
const SERVERS: &str = r#"job=~"$job",instance=~"$instance""#;
/// The matcher of the tools that the variable selects.
const TOOLS: &str = r#"tool=~"$tool""#;
/// The window of rates.
const RATE: &str = "$__rate_interval";
/// The states of breakers.
const STATES: &[(u64, &str, &str)] = &[(0, "closed", "green"), (1, "half-open", "yellow"), (2, "open", "red")];

/// A row: its title and its panels.
type Row = (&'static str, Vec<Panel>);

/// Returns all rows, from the top.
pub(super) fn all(policies: &Policies) -> Vec<Row> {
    let calls = if policies.has_tools { r#"tool!~"fn .+""# } else { "" };
    let mut rows = vec![
        ("Overview", objectives::overview(calls)),
        ("Service level objectives", objectives::objectives(calls)),
        ("Tools", calls::tools()),
        ("Breakers", calls::breakers()),
        ("Errors", calls::errors()),
        ("Latency", calls::latency(policies)),
    ];
    if cfg!(feature = "deferred") {
        rows.push(("Deferred writes", server::deferred()));
    }
    rows.push(("Level of service", server::level()));
    rows.push(("Process", server::process()));
    rows
}
