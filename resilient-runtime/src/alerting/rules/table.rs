//! The table of rules.

use std::time::Duration;

use super::AlertSeverity::{Critical, High, Low, Medium};
use super::{AlertRule, Condition};

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

const fn hours(hours: u64) -> Duration {
    minutes(hours * 60)
}

/// The window of ratios and percentiles.
const RECENT: Duration = minutes(5);
/// The fewest calls that make a ratio or a 95th percentile.
const FEWEST: u64 = 20;
/// The fewest calls that make a 99th percentile, or one over an hour.
const FEWEST_OF_MANY: u64 = 100;
/// The fewest failed calls that make a burn rate.
const FEWEST_FAILED: u64 = 10;

/// All rules.
pub(crate) const RULES: &[AlertRule] = &[
    AlertRule {
        name: "ResilientServerDown",
        severity: Critical,
        hold: minutes(1),
        repeat: minutes(5),
        condition: Condition::Down,
        summary: "The server does not respond",
        description: "Prometheus could not scrape the server for a minute. No client can reach it either, unless only \
                      the port for metrics is affected.",
        runbook: "server-down",
    },
    AlertRule {
        name: "ResilientErrorRatioHigh",
        severity: Critical,
        hold: minutes(2),
        repeat: minutes(10),
        condition: Condition::ErrorRatio { above: 0.05, window: RECENT, at_least: FEWEST },
        summary: "{value} of all calls fail",
        description: "More than 5 % of the calls that ran in the last 5 minutes ended with an error, a timeout or a \
                      panic. Mistakes of callers and rejected calls do not count.",
        runbook: "error-ratio-high",
    },
    AlertRule {
        name: "ResilientErrorRatioRaised",
        severity: Low,
        hold: minutes(10),
        repeat: hours(12),
        condition: Condition::ErrorRatio { above: 0.01, window: RECENT, at_least: FEWEST },
        summary: "{value} of all calls fail",
        description: "More than 1 % of the calls that ran in the last 5 minutes failed. The objective in normal \
                      operation is less than 1 %.",
        runbook: "error-ratio-raised",
    },
    AlertRule {
        name: "ResilientDependencyErrorRatioHigh",
        severity: High,
        hold: minutes(3),
        repeat: minutes(15),
        condition: Condition::DependencyErrorRatio { above: 0.10, window: RECENT, at_least: FEWEST },
        summary: "{value} of the attempts at {breaker} fail",
        description: "More than 10 % of the attempts under the breaker {breaker} failed in the last 5 minutes. Retries \
                      and fallbacks may still hide this from clients.",
        runbook: "dependency-error-ratio-high",
    },
    AlertRule {
        name: "ResilientErrorsCritical",
        severity: Critical,
        hold: minutes(5),
        repeat: hours(1),
        condition: Condition::ErrorsPerHour { above: 100 },
        summary: "{value} errors {code} of {tool} within an hour",
        description: "{tool} had more than 100 errors with the code {code} within an hour. The tool `recent_errors` and \
                      the route `/errors` show the last ones of tools and requests and their trend, the log also those \
                      of functions.",
        runbook: "errors-critical",
    },
    AlertRule {
        name: "ResilientErrorsHigh",
        severity: High,
        hold: minutes(10),
        repeat: hours(3),
        condition: Condition::ErrorsPerHour { above: 50 },
        summary: "{value} errors {code} of {tool} within an hour",
        description: "{tool} had more than 50 errors with the code {code} within an hour. The tool `recent_errors` and \
                      the route `/errors` show the last ones of tools and requests and their trend, the log also those \
                      of functions.",
        runbook: "errors-high",
    },
    AlertRule {
        name: "ResilientErrorsMedium",
        severity: Medium,
        hold: minutes(30),
        repeat: hours(6),
        condition: Condition::ErrorsPerHour { above: 10 },
        summary: "{value} errors {code} of {tool} within an hour",
        description: "{tool} had more than 10 errors with the code {code} within an hour. The tool `recent_errors` and \
                      the route `/errors` show the last ones of tools and requests and their trend, the log also those \
                      of functions.",
        runbook: "errors-medium",
    },
    AlertRule {
        name: "ResilientSlowP95",
        severity: High,
        hold: minutes(5),
        repeat: minutes(10),
        condition: Condition::SlowP95 { share_of_timeout: 0.8, window: RECENT, at_least: FEWEST },
        summary: "5 % of the calls of {tool} take about {value} or longer",
        description: "The 95th percentile of {tool}, estimated within coarse buckets, is above 80 % of its timeout. If \
                      it becomes slower, calls fail.",
        runbook: "slow-p95",
    },
    AlertRule {
        name: "ResilientSlowP99",
        severity: Medium,
        hold: minutes(5),
        repeat: minutes(10),
        condition: Condition::SlowP99 { above: Duration::from_secs(5), window: RECENT, at_least: FEWEST_OF_MANY },
        summary: "1 % of all calls take {value} or longer",
        description: "The 99th percentile of all tool calls is above the objective of 5 s.",
        runbook: "slow-p99",
    },
    AlertRule {
        name: "ResilientSlowerThanYesterday",
        severity: Low,
        hold: minutes(15),
        repeat: hours(12),
        condition: Condition::SlowerThanYesterday { factor: 1.2, window: hours(1), at_least: FEWEST_OF_MANY },
        summary: "{tool} takes {value} as long as a day ago",
        description: "The 95th percentile of {tool} in the last hour is more than 1.2 times that of the same hour \
                      yesterday.",
        runbook: "slower-than-yesterday",
    },
    AlertRule {
        name: "ResilientBreakerOpen",
        severity: High,
        hold: minutes(1),
        repeat: minutes(5),
        condition: Condition::BreakerOpen { reopened: minutes(5) },
        summary: "The breaker {breaker} is open",
        description: "The breaker {breaker} has been open for a minute, and calls need it. It rejects them until a probe \
                      succeeds.",
        runbook: "breaker-open",
    },
    AlertRule {
        name: "ResilientMemoryHigh",
        severity: Medium,
        hold: minutes(5),
        repeat: minutes(30),
        condition: Condition::Memory { above: 0.85 },
        summary: "The server uses {value} of its memory",
        description: "The resident memory is above 85 % of the limit of the control group. At the limit the kernel ends \
                      the process.",
        runbook: "memory-high",
    },
    AlertRule {
        name: "ResilientQueueGrowing",
        severity: Medium,
        hold: minutes(5),
        repeat: minutes(20),
        condition: Condition::QueueGrowing { by: 100, window: minutes(10) },
        summary: "{value} more calls wait than 10 minutes ago",
        description: "The number of calls that wait for a permit of a bulkhead keeps growing. Calls arrive faster than \
                      they are served.",
        runbook: "queue-growing",
    },
    AlertRule {
        name: "ResilientDeadLetters",
        severity: Medium,
        hold: minutes(1),
        repeat: hours(12),
        condition: Condition::DeadLetters,
        summary: "{value} deferred writes were given up",
        description: "Writes that were accepted for later could not be performed and will not be tried again, unless an \
                      operator says so.",
        runbook: "dead-letters",
    },
    AlertRule {
        name: "ResilientLevelNotNormal",
        severity: Medium,
        hold: minutes(10),
        repeat: hours(1),
        condition: Condition::LevelNotNormal,
        summary: "The level of service is not normal",
        description: "The level of service has not been normal for 10 minutes. Some tools may be off, or answer from the \
                      cache alone.",
        runbook: "level-not-normal",
    },
    AlertRule {
        name: "ResilientAccessRefused",
        severity: Medium,
        hold: minutes(1),
        repeat: hours(1),
        condition: Condition::AccessRefused { above: 10, window: minutes(10) },
        summary: "{value} requests without permission within 10 minutes",
        description: "More than 10 requests within 10 minutes had a wrong token for the routes for operators, or were \
                      refused by a function that authorizes. A client may be guessing, or has old credentials.",
        runbook: "access-refused",
    },
    AlertRule {
        name: "ResilientBurnRateFast",
        severity: Critical,
        hold: minutes(2),
        repeat: minutes(30),
        condition: Condition::BurnRate { factor: 14.4, long: hours(1), short: minutes(5), at_least: FEWEST_FAILED },
        summary: "{value} of all calls failed within an hour",
        description: "At this rate the errors that the objective of 99.9 % admits in 30 days are used up in 2 days.",
        runbook: "burn-rate-fast",
    },
    AlertRule {
        name: "ResilientBurnRateMedium",
        severity: High,
        hold: minutes(5),
        repeat: hours(3),
        condition: Condition::BurnRate { factor: 6.0, long: hours(6), short: minutes(30), at_least: FEWEST_FAILED },
        summary: "{value} of all calls failed within 6 hours",
        description: "At this rate the errors that the objective of 99.9 % admits in 30 days are used up in 5 days.",
        runbook: "burn-rate-medium",
    },
    AlertRule {
        name: "ResilientBurnRateSlow",
        severity: Low,
        hold: minutes(30),
        repeat: hours(12),
        condition: Condition::BurnRate { factor: 1.0, long: hours(72), short: hours(6), at_least: FEWEST_FAILED },
        summary: "{value} of all calls failed within 3 days",
        description: "At this rate the errors that the objective of 99.9 % admits in 30 days are used up before they end.",
        runbook: "burn-rate-slow",
    },
];
