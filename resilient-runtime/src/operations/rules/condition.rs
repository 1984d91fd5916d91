//! The expression of each condition.

use std::time::Duration;

use resilient_policy::ErrorKind;

use super::super::expressions::{
    duration, errors_within_hour, number, one_of, operations, percentile, rises, select, sum_of_increase, words,
};
use super::Server;
use super::records::{error_ratio_within, failed_within, operations_within, p95_within, ran_within};
use crate::alerting::rules::{AlertRule, Condition, OBJECTIVE, is_counted, queue_growth};
use crate::operations::policies::slow_above;
use crate::outcomes::Rejected;
use crate::series::names;

/// What identifies a process.
const INSTANCE: &str = "job, instance";
const BREAKER: &str = "job, instance, breaker";

/// The code of calls that are refused because reads answer from the cache alone. Its kind is that of a service that is
/// unavailable. Other switches refuse with kinds that do not count.
pub(in crate::operations) const UNCOUNTED_CODE: &str = "CACHE_ONLY";

/// Returns the expression of a rule, or `None` if this server cannot fulfil its condition.
pub(super) fn expression(rule: &AlertRule, server: &Server) -> Option<String> {
    let job = &*server.job;
    let all = match rule.condition {
        Condition::Down => vec![down(rule, job)],
        Condition::ErrorRatio { above, window, at_least } => vec![
            format!("{} > {}", select(error_ratio_within(window), &[job]), number(above)),
            format!("{} >= {at_least}", select(ran_within(window), &[job])),
        ],
        Condition::DependencyErrorRatio { above, window, at_least } => dependency(job, above, window, at_least),
        Condition::ErrorsPerHour { above } => {
            let kinds = ErrorKind::ALL.iter().filter(|kind| is_counted(**kind)).map(|kind| kind.as_str());
            let kinds = words("kind", "=~", kinds);
            let codes = words("code", "!=", [UNCOUNTED_CODE]);
            let errors = errors_within_hour("job, tool, code", job, &[server.calls, &kinds, &codes]);
            vec![format!("{errors} > {above}")]
        }
        Condition::SlowP95 { share_of_timeout, window, at_least } => slow(server, share_of_timeout, window, at_least)?,
        Condition::SlowP99 { above, window, at_least } => {
            let within = duration(window);
            vec![
                format!("{} > {}", percentile(0.99, "job", &[job], &within), number(above.as_secs_f64())),
                format!("{} >= {at_least}", operations("job", &[job], &within)),
            ]
        }
        Condition::SlowerThanYesterday { factor, window, at_least } => {
            let (p95, calls) = (select(p95_within(window), &[job]), select(operations_within(window), &[job]));
            vec![
                format!("{p95} / {p95} offset 1d > {}", number(factor)),
                format!("{calls} >= {at_least}"),
                format!("{calls} offset 1d >= {at_least}"),
            ]
        }
        Condition::BreakerOpen { reopened } => vec![open(job, reopened)],
        Condition::Memory { above } => {
            let [resident, limit] = [names::PROCESS_RESIDENT, names::MEMORY_LIMIT].map(|series| select(series, &[job]));
            vec![format!("{resident} / {limit} > {}", number(above))]
        }
        Condition::QueueGrowing { by, window } => {
            // Without queues, one that comes later counts.
            let by = queue_growth(by, server.policies.queue_places).unwrap_or(by);
            let waiting = format!("sum by ({INSTANCE}) ({})", select(names::WAITING, &[job]));
            // `delta` extrapolates by up to a step.
            vec![format!("delta(({waiting})[{}:15s]) > {by}", duration(window))]
        }
        Condition::DeadLetters if !cfg!(feature = "deferred") => return None,
        Condition::DeadLetters => {
            // Processes that share a store all report all of its entries.
            let dead = select(names::DEFERRED_ENTRIES, &[job, r#"state="dead""#]);
            vec![format!("max by (job) ({dead}) > 0")]
        }
        Condition::LevelNotNormal => {
            let others = select(names::LEVEL, &[job, r#"level!="normal""#]);
            vec![format!("sum by ({INSTANCE}) ({others}) > 0")]
        }
        Condition::AccessRefused { above, window } => vec![access_refused(job, above, &duration(window))],
        Condition::BurnRate { factor, long, short, at_least } => {
            let above = number(factor * (1.0 - OBJECTIVE));
            vec![
                format!("{} > {above}", select(error_ratio_within(long), &[job])),
                format!("{} > {above}", select(error_ratio_within(short), &[job])),
                format!("{} >= {at_least}", select(failed_within(long), &[job])),
            ]
        }
    };
    let all = all.join("\nand ");
    Some(match rule.traffic() {
        None => all,
        Some(window) => format!("{all}\n{}", traffic(&rule.condition, job, &duration(window))),
    })
}

/// A target that cannot be scraped, or a job without targets. `up` exists for the targets of all jobs, so without a name of
/// the job it is only about those that had series of this crate within a day before they went down.
fn down(rule: &AlertRule, job: &str) -> String {
    let up = select("up", &[job]);
    if job.is_empty() {
        let known = select(names::LEVEL, &[r#"level="normal""#]);
        let known = format!(r#"last_over_time({known}[1d]) or ALERTS{{alertname="{}"}}"#, rule.name);
        return format!("{up} == 0 and on ({INSTANCE}) ({known})");
    }
    format!("{up} == 0 or absent({up})")
}

/// Requires calls within the window. See [`AlertRule::traffic`].
fn traffic(condition: &Condition, job: &str, window: &str) -> String {
    if let Condition::BreakerOpen { .. } = condition {
        let [results, rejected] =
            [names::BREAKER_RESULTS, names::BREAKER_REJECTED].map(|series| rises(BREAKER, series, &[job], window));
        return format!("and on ({BREAKER}) (\n  {results}\n  or {rejected}\n)");
    }
    format!("and on (job) ({})", rises("job", names::CALLS, &[job], window))
}

fn dependency(job: &str, above: f64, window: Duration, at_least: u64) -> Vec<String> {
    let results = |words: &[&str]| {
        let results = self::words("result", "=~", words.iter().copied());
        sum_of_increase("job, breaker", names::BREAKER_RESULTS, &[job, &results], &duration(window))
    };
    let (failed, all) = (results(&["failure"]), results(&["success", "failure"]));
    vec![format!("{failed} / {all} > {}", number(above)), format!("{all} >= {at_least}")]
}

/// The percentiles of tools, each compared with a share of its own timeout. An estimate within a bucket may be above the
/// timeout, which no call is.
fn slow(server: &Server, share: f64, window: Duration, at_least: u64) -> Option<Vec<String>> {
    let of_timeout = server.policies.timeouts.iter().filter_map(|(timeout, tools)| {
        let above = slow_above(*timeout, share)?;
        let percentile = select(p95_within(window), &[&server.job, &one_of("tool", tools)]);
        Some(format!("clamp_max({percentile}, {}) > {}", number(timeout.as_secs_f64()), number(above)))
    });
    let any = of_timeout.collect::<Vec<_>>().join("\n  or ");
    let calls = select(operations_within(window), &[&server.job]);
    (!any.is_empty()).then(|| vec![format!("(\n  {any}\n)"), format!("{calls} >= {at_least}")])
}

/// An open breaker, also while a probe is under way after others have failed: a scrape at that time would end the alert.
fn open(job: &str, reopened: Duration) -> String {
    let state = select(names::BREAKER_STATE, &[job]);
    let to_open = [job, r#"from="half_open""#, r#"to="open""#];
    let reopened = format!("increase({}[{}])", select(names::BREAKER_TRANSITIONS, &to_open), duration(reopened));
    format!("(\n  {state} == 2\n  or {state} == 1 and on ({BREAKER}) {reopened} > 0\n)")
}

/// Wrong tokens and refused authorizations, of which either may not exist.
fn access_refused(job: &str, above: u64, window: &str) -> String {
    let unauthorized = words("reason", "=", [Rejected::Unauthorized.as_str()]);
    let refused = format!("increase({}[{window}])", select(names::REJECTED, &[job, &unauthorized]));
    #[cfg(feature = "http")]
    let refused = {
        let wrong_token = words("reason", "=", [crate::statistics::AdminRefusal::WrongToken.as_str()]);
        format!("increase({}[{window}]) or {refused}", select(names::ADMIN_REFUSED, &[job, &wrong_token]))
    };
    format!("sum by (job) ({refused}) > {above}")
}
