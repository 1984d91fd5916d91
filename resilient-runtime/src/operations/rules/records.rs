//! Recording rules: what several alerts need.

use std::time::Duration;

use super::super::expressions::{duration, failed, operations, percentile, ran, select};
use super::Server;

const JOB: &str = "job";
const JOB_AND_TOOL: &str = "job, tool";

/// Windows of error ratios, and whether their group is the slow one.
const WINDOWS: [(&str, bool); 5] = [("5m", false), ("1h", false), ("30m", true), ("6h", true), ("3d", true)];

/// Returns the name of the record of the calls that ran within a window.
pub(super) fn ran_within(window: Duration) -> String {
    format!("job:mcp_calls_ran:increase{}", duration(window))
}

/// Returns the name of the record of the calls that failed within a window.
pub(super) fn failed_within(window: Duration) -> String {
    format!("job:mcp_calls_failed:increase{}", duration(window))
}

/// Returns the name of the record of the error ratio within a window.
pub(super) fn error_ratio_within(window: Duration) -> String {
    format!("job:mcp_error_ratio:increase{}", duration(window))
}

/// Returns the name of the record of the tool calls of clients within a window.
pub(super) fn operations_within(window: Duration) -> String {
    format!("job_tool:mcp_operations:increase{}", duration(window))
}

/// Returns the name of the record of the 95th percentile of each tool within a window.
pub(super) fn p95_within(window: Duration) -> String {
    format!("job_tool:mcp_p95_seconds:rate{}", duration(window))
}

/// Returns the names and expressions of the records of a group.
pub(super) fn of(server: &Server, is_slow: bool) -> Vec<(String, String)> {
    let mut records = Vec::new();
    let matchers = [&*server.job, server.calls];
    for (window, _) in WINDOWS.iter().filter(|(_, slow)| *slow == is_slow) {
        let [ran_name, failed_name, ratio_name] =
            ["calls_ran", "calls_failed", "error_ratio"].map(|what| format!("job:mcp_{what}:increase{window}"));
        let recorded = |name: &str| select(name, &[&server.job]);
        let ratio = format!("{} / ({} > 0)", recorded(&failed_name), recorded(&ran_name));
        records.push((ran_name, ran(JOB, &matchers, window)));
        records.push((failed_name, failed(JOB, &matchers, window)));
        records.push((ratio_name, ratio));
    }
    let window = if is_slow { Duration::from_secs(3_600) } else { Duration::from_secs(300) };
    let within = duration(window);
    records.push((operations_within(window), operations(JOB_AND_TOOL, &[&server.job], &within)));
    records.push((p95_within(window), percentile(0.95, JOB_AND_TOOL, &[&server.job], &within)));
    records
}
