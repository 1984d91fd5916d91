//! The conditions of the rules, over the history of one process.
//!
//! They are those of the expressions for Prometheus: the same counts, windows and buckets.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::history::{BreakerHistory, History};
use super::sample::BUCKETS;
use crate::alerting::rules::{AlertRule, Condition, OBJECTIVE, RULES, queue_growth};
use crate::alerting::{Finding, Labels};
use crate::breaker::BreakerState;
use crate::gate::Level;
use crate::statistics::HistogramSnapshot;

/// The longest window of a burn rate that the history covers.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Returns the conditions that hold, the most urgent first.
pub(super) fn all(history: &History, now: Instant) -> Vec<Finding> {
    let view = View { history, now };
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|rule| view.has_traffic(rule)) {
        let mut add = |labels: Labels, value: f64| found.push(Finding { rule, labels, value });
        view.find(rule, &mut add);
    }
    found.sort_by_key(|finding| Reverse(finding.rule.severity));
    found
}

/// The history at the time of an evaluation.
#[derive(Clone, Copy)]
struct View<'h> {
    history: &'h History,
    now: Instant,
}

type Add<'a> = &'a mut dyn FnMut(Labels, f64);

impl View<'_> {
    /// Returns whether there were calls within the window in which the rule needs some. Those of
    /// [`Condition::BreakerOpen`] are counted for each breaker.
    fn has_traffic(self, rule: &AlertRule) -> bool {
        let is_of_server = !matches!(rule.condition, Condition::BreakerOpen { .. });
        rule.traffic().filter(|_| is_of_server).is_none_or(|window| {
            let [ended, ..] = self.history.calls(self.now, window);
            ended > 0
        })
    }

    /// Adds each finding of a rule.
    fn find(self, rule: &AlertRule, add: Add<'_>) {
        let Self { history, now } = self;
        let mut of_server = |holds: bool, value: f64| {
            if holds {
                add(Labels::new(), value);
            }
        };
        match rule.condition {
            // A process cannot know whether it is down, and keeps an hour of history.
            Condition::Down | Condition::SlowerThanYesterday { .. } => {}
            Condition::ErrorRatio { above, window, at_least } => {
                let [_, ran, failed] = history.calls(now, window);
                let ratio = ratio(failed, ran);
                of_server(ran >= at_least && ratio > above, ratio);
            }
            Condition::BurnRate { long, .. } if long > LONGEST => {}
            Condition::BurnRate { factor, long, short, at_least } => {
                let above = factor * (1.0 - OBJECTIVE);
                let [_, ran, failed] = history.calls(now, long);
                let [_, ran_lately, failed_lately] = history.calls(now, short);
                let ratio_of = ratio;
                let ratio = ratio_of(failed, ran);
                of_server(failed >= at_least && ratio > above && ratio_of(failed_lately, ran_lately) > above, ratio);
            }
            Condition::SlowP99 { above, window, at_least } => {
                let durations = history.durations(now, window);
                let percentile = percentile(&durations, 0.99);
                let is_slow = count(&durations) >= at_least && percentile > above.as_secs_f64();
                of_server(is_slow, percentile);
            }
            Condition::Memory { above } => {
                let share = history.memory.unwrap_or_default();
                of_server(share > above, share);
            }
            Condition::QueueGrowing { by, window } => {
                let growth = history.queue_growth(now, window);
                of_server(growth > queue_growth(by, history.places).unwrap_or(by), number(growth));
            }
            Condition::DeadLetters => of_server(history.dead > 0, number(history.dead)),
            Condition::LevelNotNormal => of_server(history.level != Level::Normal, 1.0),
            Condition::AccessRefused { above, window } => {
                let refused = history.refused(now, window);
                of_server(refused > above, number(refused));
            }
            Condition::SlowP95 { share_of_timeout, window, at_least } => {
                for (name, tool) in &history.tools {
                    let Some(timeout) = tool.timeout else { continue };
                    let durations = tool.durations.within(now, window);
                    // The estimate may be too long: a call is cut off at the timeout.
                    let percentile = percentile(&durations, 0.95).min(timeout.as_secs_f64());
                    if count(&durations) >= at_least && percentile > timeout.as_secs_f64() * share_of_timeout {
                        add(vec![("tool", Arc::clone(name))], percentile);
                    }
                }
            }
            Condition::ErrorsPerHour { above } => {
                for ((tool, code), errors) in &history.errors {
                    let [errors] = errors.within(now, LONGEST);
                    if errors > above {
                        add(vec![("tool", Arc::clone(tool)), ("code", Arc::clone(code))], number(errors));
                    }
                }
            }
            Condition::DependencyErrorRatio { above, window, at_least } => {
                for (name, breaker) in &history.breakers {
                    let [successes, failures, ..] = breaker.counts.within(now, window);
                    let ratio = ratio(failures, successes + failures);
                    if successes + failures >= at_least && ratio > above {
                        add(vec![("breaker", (*name).into())], ratio);
                    }
                }
            }
            Condition::BreakerOpen { reopened } => {
                let traffic = rule.traffic().unwrap_or_default();
                for (name, breaker) in &history.breakers {
                    if let Some(value) = self.open(breaker, reopened, traffic) {
                        add(vec![("breaker", (*name).into())], value);
                    }
                }
            }
        }
    }

    /// Returns the state of a breaker, as a number, if it is open and was needed lately.
    fn open(self, breaker: &BreakerHistory, reopened: Duration, traffic: Duration) -> Option<f64> {
        let [.., attempted, _] = breaker.counts.within(self.now, traffic);
        let [.., reopened] = breaker.counts.within(self.now, reopened);
        let state = match breaker.state {
            BreakerState::Open | BreakerState::Isolated => 2.0,
            // A probe is under way, after others have failed.
            BreakerState::HalfOpen if reopened > 0 => 1.0,
            _ => return None,
        };
        (attempted > 0).then_some(state)
    }
}

/// Returns a share, which is zero if there is nothing that it is a share of.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "counts within an hour")]
const fn number(count: u64) -> f64 {
    count as f64
}

fn count(buckets: &[u64; BUCKETS]) -> u64 {
    buckets.iter().sum()
}

/// Estimates a percentile in seconds, linearly within a bucket, as Prometheus does. Beyond the last edge it is that edge;
/// without samples it is zero.
fn percentile(buckets: &[u64; BUCKETS], share: f64) -> f64 {
    let wanted = share * number(count(buckets));
    let (mut below, mut from) = (0.0, 0.0);
    for (edge, bucket) in HistogramSnapshot::CONVENTIONAL.iter().map(Duration::as_secs_f64).zip(buckets) {
        let bucket = number(*bucket);
        if bucket > 0.0 && below + bucket >= wanted {
            return from + (edge - from) * ((wanted - below) / bucket);
        }
        (below, from) = (below + bucket, edge);
    }
    if below > 0.0 || buckets.iter().any(|count| *count > 0) { from } else { 0.0 }
}

#[cfg(test)]
mod tests;
