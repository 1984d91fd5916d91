//! The dashboard for Grafana.

mod panel;
mod rows;

use serde_json::{Value, json};

use super::policies::Policies;
use crate::series::names;

/// Returns the dashboard as JSON.
pub(super) fn text(policies: &Policies) -> String {
    let dashboard = json!({
        "uid": "resilient-mcp-server",
        "title": "MCP server",
        "description": "Calls, errors, breakers and latency of MCP servers that resilient guards. Generated from the \
                        series that the servers export; do not edit it, generate it again.",
        "tags": ["mcp", "resilient"],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": { "from": "now-3h", "to": "now" },
        "templating": { "list": variables() },
        "panels": panel::placed(rows::all(policies)),
    });
    format!("{dashboard:#}\n")
}

/// The variables: where the series are, and which of them the panels show.
fn variables() -> Vec<Value> {
    let source = json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
        "current": {}, "hide": 0, "regex": "", "options": [],
    });
    let calls = format!("{}{{job=~\"$job\",instance=~\"$instance\"}}", names::CALLS);
    let level = names::LEVEL;
    let labels = [
        ("job", "Job", format!("label_values({level}, job)")),
        ("instance", "Instance", format!("label_values({level}{{job=~\"$job\"}}, instance)")),
        ("tool", "Tool", format!("label_values({calls}, tool)")),
    ];
    let of_label = |(name, label, query): (&str, &str, String)| {
        // All jobs are those of the variable: other programs have series of their processes too.
        let all = (name == "tool").then_some(".+");
        json!({
            "name": name, "label": label, "type": "query", "datasource": panel::source(),
            "definition": query, "query": { "query": query, "refId": name }, "refresh": 2, "sort": 1, "hide": 0,
            "multi": true, "includeAll": true, "allValue": all, "regex": "", "options": [],
            "current": { "selected": true, "text": ["All"], "value": ["$__all"] },
        })
    };
    std::iter::once(source).chain(labels.map(of_label)).collect()
}
