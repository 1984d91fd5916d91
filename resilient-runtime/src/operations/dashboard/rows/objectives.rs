//! What to look at first, and how far the service level objectives are met.

use super::super::panel::{Panel, View};
use super::{SERVERS, STATES};
use crate::alerting::rules::OBJECTIVE;
use crate::operations::expressions::{error_ratio, failed, number, percentile, ran, select, sum_of_rate};
use crate::series::names;

const JOB: &str = "job";

pub(super) fn overview(calls: &str) -> Vec<Panel> {
    let matchers = [SERVERS, calls];
    let known = select(names::LEVEL, &[SERVERS, r#"level="normal""#]);
    let up = format!("{} and on (job, instance) last_over_time({known}[1d])", select("up", &[SERVERS]));
    let state = select(names::BREAKER_STATE, &[SERVERS]);
    let level = select(names::LEVEL, &[SERVERS]);
    vec![
        Panel::new("Servers", View::Number, "none", "Instances that Prometheus can scrape.")
            .show(format!("sum by (job) ({up})"), "{{job}}")
            .at_least(1.0, 1.0),
        Panel::new("Calls", View::Number, "reqps", "Calls that ended, with any outcome, in the last 5 minutes.")
            .show(sum_of_rate(JOB, names::CALLS, &matchers, "5m"), "{{job}}"),
        Panel::new(
            "Error share",
            View::Number,
            "percentunit",
            "Failed calls among those that ran in the last 5 minutes. Mistakes of callers do not count.",
        )
        .show(error_ratio(JOB, &matchers, "5m"), "{{job}}")
        .limits(0.01, 0.05),
        Panel::new("p95", View::Number, "s", "95 of 100 tool calls in the last 5 minutes were faster.")
            .show(percentile(0.95, JOB, &[SERVERS], "5m"), "{{job}}")
            .limits(1.0, 2.0),
        Panel::new("p99", View::Number, "s", "99 of 100 tool calls in the last 5 minutes were faster.")
            .show(percentile(0.99, JOB, &[SERVERS], "5m"), "{{job}}")
            .limits(2.0, 5.0),
        Panel::new("Open breakers", View::Number, "none", "Breakers that reject calls.")
            .show(format!("sum by (job) ({state} == bool 2)"), "{{job}}")
            .limit(1.0),
        Panel::new("Breakers", View::States, "none", "The state of each breaker.")
            .show(format!("max by (job, breaker) ({state})"), "{{breaker}}")
            .words(STATES)
            .wide(12),
        Panel::new("Level of service", View::States, "none", "The level that holds, by instance.")
            .show(format!("max by (instance, level) ({level})"), "{{instance}} {{level}}")
            .words(&[(0, " ", "transparent"), (1, "holds", "blue")])
            .wide(12),
    ]
}

pub(super) fn objectives(calls: &str) -> Vec<Panel> {
    let matchers = [SERVERS, calls];
    let normal = format!("min by (job) ({})", select(names::LEVEL, &[SERVERS, r#"level="normal""#]));
    let ratio = error_ratio(JOB, &matchers, "5m");
    let budget = number(1.0 - OBJECTIVE);
    let all_ran = ran(JOB, &matchers, "30d");
    vec![
        Panel::new("Availability, 30 days", View::Number, "percentunit", "Calls that did not fail. Objective: 99.9 %.")
            .show(format!("1 - {}", error_ratio(JOB, &matchers, "30d")), "{{job}}")
            .at_least(0.99, OBJECTIVE),
        Panel::new(
            "Error budget left, 30 days",
            View::Number,
            "percentunit",
            "The share of the errors that 99.9 % admits which has not happened yet. Below 0 the objective is missed.",
        )
        .show(format!("1 - {} / ({budget} * {all_ran} > 0)", failed(JOB, &matchers, "30d")), "{{job}}")
        .at_least(0.0, 0.25),
        Panel::new("p95, 24 hours", View::Number, "s", "Objective: less than 2 s.")
            .show(percentile(0.95, JOB, &[SERVERS], "1d"), "{{job}}")
            .limit(2.0),
        Panel::new("p99, 24 hours", View::Number, "s", "Objective: less than 5 s.")
            .show(percentile(0.99, JOB, &[SERVERS], "1d"), "{{job}}")
            .limit(5.0),
        Panel::new(
            "Minutes with errors, of the last 15",
            View::Number,
            "m",
            "Minutes at which more than 5 % of the calls of the 5 minutes before had failed. Objective: recovery in less than 15 \
             minutes.",
        )
        .show(format!("sum_over_time(({ratio} > bool 0.05)[15m:1m])"), "{{job}}")
        .limits(1.0, 15.0),
        Panel::new(
            "Minutes a breaker was not closed, of the last 15",
            View::Number,
            "m",
            "By breaker. Objective: recovery in less than 15 minutes. Without traffic a breaker stays half-open.",
        )
        .show(
            format!(
                "sum_over_time((max by (job, breaker) ({}) > bool 0)[15m:1m])",
                select(names::BREAKER_STATE, &[SERVERS])
            ),
            "{{breaker}}",
        )
        .limits(1.0, 15.0),
        Panel::new(
            "Error share",
            View::Lines,
            "percentunit",
            "Objective: less than 1 % while the level of service is normal, less than 5 % while it is degraded.",
        )
        .show(ratio.clone(), "{{job}}")
        .show(format!("0.05 - 0.04 * {normal}"), "objective of {{job}}"),
        Panel::new(
            "Burn rate",
            View::Lines,
            "none",
            "The error share as a multiple of the share that 99.9 % admits. At 1 the budget of 30 days lasts 30 days; at \
             14.4 it lasts 2 days.",
        )
        .show(format!("{} / {budget}", error_ratio(JOB, &matchers, "5m")), "5 min {{job}}")
        .show(format!("{} / {budget}", error_ratio(JOB, &matchers, "1h")), "1 h {{job}}")
        .show(format!("{} / {budget}", error_ratio(JOB, &matchers, "6h")), "6 h {{job}}")
        .limits(1.0, 14.4),
        Panel::new("p95 and p99", View::Lines, "s", "Objectives: p95 less than 2 s, p99 less than 5 s.")
            .show(percentile(0.95, JOB, &[SERVERS], "5m"), "p95 {{job}}")
            .show(percentile(0.99, JOB, &[SERVERS], "5m"), "p99 {{job}}")
            .limits(2.0, 5.0),
    ]
}
