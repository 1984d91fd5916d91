//! The last errors, with the texts that clients could read and without the callers' identities.

use serde::Serialize;

use crate::clock::unix_millis;
use crate::registry::Registry;
use crate::statistics::{ErrorGroup, ErrorTrend, RecentError};

/// The maximum number of trends in a response.
const MOST_TRENDS: usize = 10;

/// Errors of the tools of this server, and of its other requests.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[expect(clippy::struct_field_names, reason = "the field is called so in responses")]
pub(crate) struct Errors {
    /// All errors since the start, by tool and code; the group with the latest error comes first.
    groups: Vec<Group>,
    /// How the numbers of errors change: the ten most frequent errors of the last 24 hours, by tool and code; the one
    /// that occurred most often comes first.
    trends: Vec<TrendEntry>,
    /// The last errors, newest first.
    errors: Vec<ErrorEntry>,
}

/// The errors of one tool or MCP method with one code.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Group {
    /// The name of the tool, or the MCP method of another request.
    tool: String,
    /// The code of the errors.
    code: String,
    /// The kind of the errors.
    kind: &'static str,
    /// The number of errors.
    count: u64,
    /// When the first error occurred.
    first_unix_ms: u64,
    /// When the last error occurred.
    last_unix_ms: u64,
}

/// The errors of one tool or MCP method with one code, in the last 24 hours.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct TrendEntry {
    /// The name of the tool, or the MCP method of another request.
    tool: String,
    /// The code of the errors.
    code: String,
    /// The kind of the last error.
    kind: &'static str,
    /// `rising`: at least 10 errors in the last hour, and more than 1.5 times as many as in the hour before. `falling`:
    /// at least 10 errors in the hour before, and in the last hour less than half as many. Otherwise `steady`.
    trend: &'static str,
    /// The number of errors in the last hour, which is 55 to 60 minutes long, because the hours move on in steps of
    /// five minutes.
    last_hour: u64,
    /// The number of errors in the hour before the last.
    hour_before: u64,
    /// The number of errors in the last 24 hours.
    last_24_hours: u64,
    /// The number of errors in each of the last 24 hours, the oldest first.
    hours: [u64; 24],
}

/// One error.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct ErrorEntry {
    /// When it occurred.
    at_unix_ms: u64,
    /// The correlation id, under which the log contains the rest.
    correlation_id: String,
    /// The name of the tool, or the MCP method of another request.
    tool: String,
    /// The code of the error.
    code: String,
    /// The kind of the error.
    kind: &'static str,
    /// The text that the client received.
    text: String,
    /// The number of attempts of the call.
    attempts: u32,
}

impl Errors {
    /// Returns the errors of one tool or of all: all groups, the trends of the most frequent ones, and at most `most`
    /// single errors that `may_be_shown` accepts.
    pub(crate) fn of(
        registry: &Registry,
        tool: Option<&str>,
        most: usize,
        may_be_shown: impl Fn(&RecentError) -> bool,
    ) -> Self {
        let is_requested = |name: &str| tool.is_none_or(|tool| tool == name);
        let groups = registry.error_groups().into_iter().filter(|group| is_requested(&group.tool));
        let trends = registry.error_trends().into_iter().filter(|trend| is_requested(&trend.tool));
        let errors = registry.recent_errors().into_iter().filter(|error| is_requested(&error.tool));
        Self {
            groups: groups.map(Group::from).collect(),
            trends: trends.take(MOST_TRENDS).map(TrendEntry::from).collect(),
            errors: errors.filter(may_be_shown).take(most).map(ErrorEntry::from).collect(),
        }
    }
}

impl From<ErrorGroup> for Group {
    fn from(group: ErrorGroup) -> Self {
        Self {
            tool: group.tool.to_string(),
            code: group.code.to_string(),
            kind: group.kind.as_str(),
            count: group.count,
            first_unix_ms: unix_millis(group.first),
            last_unix_ms: unix_millis(group.last),
        }
    }
}

impl From<ErrorTrend> for TrendEntry {
    fn from(trend: ErrorTrend) -> Self {
        Self {
            tool: trend.tool.to_string(),
            code: trend.code.to_string(),
            kind: trend.kind.as_str(),
            trend: trend.trend.as_str(),
            last_hour: trend.last_hour,
            hour_before: trend.hour_before,
            last_24_hours: trend.last_24_hours,
            hours: trend.hours,
        }
    }
}

impl From<RecentError> for ErrorEntry {
    fn from(error: RecentError) -> Self {
        Self {
            at_unix_ms: unix_millis(error.at),
            correlation_id: error.correlation_id.to_string(),
            tool: error.tool.to_string(),
            code: error.code.to_string(),
            kind: error.kind.as_str(),
            text: error.text,
            attempts: error.attempts,
        }
    }
}

#[cfg(test)]
mod tests {
    use resilient_policy::{ErrorKind, Severity};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_ten_most_frequent_errors_of_the_tool_have_trends() {
        let registry = Registry::new();
        for n in 1..=12 {
            let fail = |tool: &str, code: &str| {
                drop(registry.statistics(tool).failed(code, ErrorKind::Unavailable, Severity::Low));
            };
            (0..n).for_each(|_| fail("read", &format!("CODE_{n}")));
            (0..20 + n).for_each(|_| fail("write", &format!("CODE_{n}")));
        }
        let shown = |tool| serde_json::to_value(Errors::of(&registry, tool, 0, |_| true)).expect("JSON");
        let trends = |tool| shown(tool)["trends"].as_array().expect("trends").clone();
        let counts = |tool| trends(tool).iter().map(|trend| trend["last_24_hours"].clone()).collect::<Vec<Value>>();
        assert_eq!(json!(counts(None)), json!([32, 31, 30, 29, 28, 27, 26, 25, 24, 23]));
        assert_eq!(json!(counts(Some("read"))), json!([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]));
        let mut hours = [0; 24];
        hours[23] = 9;
        let ninth = json!({
            "tool": "read", "code": "CODE_9", "kind": "unavailable", "trend": "steady",
            "last_hour": 9, "hour_before": 0, "last_24_hours": 9, "hours": hours,
        });
        assert_eq!((&trends(Some("read"))[3], &trends(Some("read"))[2]["trend"]), (&ninth, &json!("rising")));
        assert_eq!(shown(Some("unknown")), json!({ "groups": [], "trends": [], "errors": [] }));
    }
}
