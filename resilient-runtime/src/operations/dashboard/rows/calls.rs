//! Calls: by tool, by breaker, their errors and their durations.

use super::super::panel::{Panel, View};
use super::{RATE, SERVERS, STATES, TOOLS};
use crate::operations::expressions::{
    error_ratio, errors_within_hour, number, one_of, operations, percentile, ran, select, sum_of_increase, sum_of_rate,
    words,
};
use crate::operations::policies::{Policies, slow_above};
use crate::series::names::{self, Series};

const TOOL: &str = "tool";
const BREAKER: &str = "breaker";
/// The label of tools by the conventions, as the series of durations have it.
const CLIENT_TOOL: &str = "gen_ai_tool_name";
/// The variable of tools, for these series.
const CLIENT_TOOLS: &str = r#"gen_ai_tool_name=~"$tool""#;

pub(super) fn tools() -> Vec<Panel> {
    let matchers = [SERVERS, TOOLS];
    let rate = |by: &str, series: Series| sum_of_rate(by, series, &matchers, RATE);
    let now = |series: Series| format!("sum by (tool) ({})", select(series, &matchers));
    vec![
        Panel::new("Tools, last hour", View::Table, "none", "Calls that ran, and the share of them that failed.")
            .show(ran(TOOL, &matchers, "1h"), "calls")
            .show(error_ratio(TOOL, &matchers, "1h"), "error share"),
        Panel::new("Calls", View::Stacked, "reqps", "Calls that ended, by tool.")
            .show(rate(TOOL, names::CALLS), "{{tool}}"),
        Panel::new("Outcomes", View::Stacked, "reqps", "Calls that ended, by how.")
            .show(rate("outcome", names::CALLS), "{{outcome}}"),
        Panel::new("Error share", View::Lines, "percentunit", "Failed calls among those that ran, in 5 minutes.")
            .show(error_ratio(TOOL, &matchers, "5m"), "{{tool}}")
            .limits(0.01, 0.05),
        Panel::new(
            "Running and waiting",
            View::Lines,
            "none",
            "Calls that run, and those of them that wait for a bulkhead.",
        )
        .show(now(names::IN_FLIGHT), "{{tool}} running")
        .show(now(names::WAITING), "{{tool}} waiting"),
        Panel::new("Rejected", View::Stacked, "reqps", "Attempts and calls that were not let run, and by what.")
            .show(rate("tool, reason", names::REJECTED), "{{tool}} {{reason}}"),
        Panel::new("Retries", View::Lines, "reqps", "Attempts after the first, and retries that were not made.")
            .show(rate("tool, kind", names::RETRIES), "{{tool}} after {{kind}}")
            .show(rate("tool, reason", names::RETRIES_SUPPRESSED), "{{tool}} suppressed: {{reason}}"),
        Panel::new("Fallbacks", View::Lines, "reqps", "Calls that something else answered, and what.")
            .show(rate("tool, source", names::FALLBACKS), "{{tool}} {{source}}"),
        Panel::new("Limits of time", View::Lines, "reqps", "Timeouts of attempts and of calls.")
            .show(rate("tool, scope", names::TIMEOUTS), "{{tool}} {{scope}}"),
        Panel::new("Cached answers", View::Lines, "bytes", "The size of the kept answers, of tools with a cache.")
            .show(now(names::CACHE_BYTES), "{{tool}}"),
    ]
}

pub(super) fn breakers() -> Vec<Panel> {
    let rate = |by: &str, series: Series| sum_of_rate(by, series, &[SERVERS], RATE);
    let results = |result: &str| {
        let matchers = [SERVERS, &words("result", "=~", result.split('|'))];
        sum_of_increase(BREAKER, names::BREAKER_RESULTS, &matchers, "5m")
    };
    let attempts = |percentile: f64| {
        let rate = format!("rate({}[{RATE}])", select(names::ATTEMPT_DURATION, &[SERVERS, r#"breaker!="""#]));
        format!("histogram_quantile({percentile}, sum by (breaker, le) ({rate}))")
    };
    vec![
        Panel::new("State", View::States, "none", "The state of each breaker, of several instances the worst.")
            .show(format!("max by (breaker) ({})", select(names::BREAKER_STATE, &[SERVERS])), "{{breaker}}")
            .words(STATES),
        Panel::new("Transitions", View::Lines, "none", "How often the breakers moved, within 5 minutes.").show(
            sum_of_increase("breaker, from, to", names::BREAKER_TRANSITIONS, &[SERVERS], "5m"),
            "{{breaker}}: {{from}} to {{to}}",
        ),
        Panel::new("Error share of dependencies", View::Lines, "percentunit", "Failures among the results that count.")
            .show(format!("{} / ({} > 0)", results("failure"), results("success|failure")), "{{breaker}}")
            .limits(0.05, 0.1),
        Panel::new("Results", View::Stacked, "reqps", "Results of attempts, by what they were for the breaker.")
            .show(rate("breaker, result", names::BREAKER_RESULTS), "{{breaker}} {{result}}"),
        Panel::new("Rejected and stale", View::Lines, "reqps", "Calls not let through; results that came too late.")
            .show(rate(BREAKER, names::BREAKER_REJECTED), "{{breaker}} rejected")
            .show(rate(BREAKER, names::BREAKER_STALE), "{{breaker}} stale"),
        Panel::new("Duration of attempts", View::Lines, "s", "95 and 50 of 100 attempts were faster.")
            .show(attempts(0.95), "{{breaker}} p95")
            .show(attempts(0.5), "{{breaker}} p50"),
    ]
}

pub(super) fn errors() -> Vec<Panel> {
    let within_hour = errors_within_hour("tool, code", SERVERS, &[]);
    vec![
        Panel::new("Most frequent errors, last hour", View::Table, "none", "The ten codes with the most errors.")
            .show(format!("topk(10, {within_hour})"), "errors"),
        Panel::new("Errors within an hour", View::Lines, "none", "By tool and code. Compare hours to see a trend.")
            .show(within_hour, "{{tool}} {{code}}")
            .limits(10.0, 100.0),
        Panel::new("Errors by kind", View::Stacked, "reqps", "Whether or not something else answered.")
            .show(sum_of_rate("kind", names::ERRORS, &[SERVERS], RATE), "{{kind}}"),
        Panel::new("Mistakes of callers", View::Lines, "reqps", "Calls whose error does not count as a failure.")
            .show(sum_of_rate(TOOL, names::EXCUSED, &[SERVERS, TOOLS], RATE), "{{tool}}"),
    ]
}

pub(super) fn latency(policies: &Policies) -> Vec<Panel> {
    let matchers = [SERVERS, CLIENT_TOOLS];
    let buckets = select(names::OPERATION_DURATION, &[SERVERS, CLIENT_TOOLS]);
    let mut panels = vec![
        Panel::new("p95 by tool", View::Lines, "s", "95 of 100 calls of clients were faster.")
            .show(percentile(0.95, CLIENT_TOOL, &matchers, RATE), "{{gen_ai_tool_name}}"),
        Panel::new("p50 by tool", View::Lines, "s", "Half of the calls of clients were faster.")
            .show(percentile(0.5, CLIENT_TOOL, &matchers, RATE), "{{gen_ai_tool_name}}"),
        Panel::new("Durations", View::Heatmap, "s", "How many calls took how long.")
            .show(format!("sum by (le) (increase({buckets}[{RATE}]))"), "{{le}}"),
        Panel::new("Calls of clients", View::Stacked, "none", "Calls of each tool within 5 minutes.")
            .show(operations(CLIENT_TOOL, &matchers, "5m"), "{{gen_ai_tool_name}}"),
        Panel::new("p95 by method", View::Lines, "s", "Of all MCP methods that the server observes.").show(
            format!(
                "histogram_quantile(0.95, sum by (mcp_method_name, le) (rate({}[{RATE}])))",
                select(names::OPERATION_DURATION, &[SERVERS])
            ),
            "{{mcp_method_name}}",
        ),
    ];
    // Estimates that end below the timeout would show the wrong share.
    let timeouts = policies.timeouts.iter().filter(|(timeout, _)| slow_above(**timeout, 0.8).is_some());
    let shares = timeouts.map(|(timeout, tools)| {
        let percentile = percentile(0.95, CLIENT_TOOL, &[SERVERS, &one_of(CLIENT_TOOL, tools)], "5m");
        format!("clamp_max({percentile} / {}, 1)", number(timeout.as_secs_f64()))
    });
    let shares: Vec<_> = shares.collect();
    if !shares.is_empty() {
        let panel = Panel::new(
            "p95 as a share of the timeout",
            View::Lines,
            "percentunit",
            "Above 80 % an alert fires: if the tool becomes slower, calls fail. Estimated within coarse buckets.",
        );
        panels.push(panel.show(shares.join("\nor "), "{{gen_ai_tool_name}}").limits(0.5, 0.8));
    }
    panels
}
