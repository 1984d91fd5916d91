//! The rules of alerts, declared once: the rules for Prometheus are generated from them, and the alerts in the process
//! evaluate them.

mod table;

use std::time::Duration;

use resilient_policy::{ErrorKind, Fault};

pub(crate) use super::severity::AlertSeverity;
pub(crate) use table::RULES;

/// Where the runbooks are in the repository of this crate.
pub(crate) const RUNBOOKS: &str = "deploy/runbooks/";

/// The share of calls that the service level objective requires to succeed.
pub(crate) const OBJECTIVE: f64 = 0.999;

/// The rule of one alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AlertRule {
    /// The name, which begins with `Resilient`.
    pub(crate) name: &'static str,
    pub(crate) severity: AlertSeverity,
    /// The time for which the condition has to hold before the alert fires: `for` in Prometheus.
    pub(crate) hold: Duration,
    /// The time after which an alert that still fires is sent again.
    pub(crate) repeat: Duration,
    pub(crate) condition: Condition,
    /// One line, with placeholders. See [`fill`].
    pub(crate) summary: &'static str,
    /// What it means and where to look, with placeholders. See [`fill`].
    pub(crate) description: &'static str,
    /// The name of the runbook, without its folder and `.md`.
    pub(crate) runbook: &'static str,
}

impl AlertRule {
    /// Returns the window within which a call must have ended, with any outcome, so that the condition holds. It is half
    /// of [`hold`](Self::hold), but at least 45 s, which are three scrapes. An alert of a server that becomes idle ends
    /// after this window, and one that was pending may begin within it, but not later. With longer intervals between
    /// scrapes the window is such an interval. `None` if the condition does not depend on calls. For
    /// [`Condition::BreakerOpen`], attempts under the breaker count, and attempts that it rejected.
    pub(crate) fn traffic(&self) -> Option<Duration> {
        let is_of_calls = match self.condition {
            Condition::Down
            | Condition::Memory { .. }
            | Condition::QueueGrowing { .. }
            | Condition::DeadLetters
            | Condition::LevelNotNormal
            | Condition::AccessRefused { .. } => false,
            Condition::ErrorRatio { .. }
            | Condition::DependencyErrorRatio { .. }
            | Condition::ErrorsPerHour { .. }
            | Condition::SlowP95 { .. }
            | Condition::SlowP99 { .. }
            | Condition::SlowerThanYesterday { .. }
            | Condition::BreakerOpen { .. }
            | Condition::BurnRate { .. } => true,
        };
        is_of_calls.then(|| (self.hold / 2).max(Duration::from_secs(45)))
    }
}

/// The condition of a rule.
///
/// *Calls* are the calls of tools. A server without tools counts those of its guarded functions. A call *fails* with the
/// outcome `error`, `timeout` or `panic`, unless the error is the caller's mistake. An *error ratio* is the share of
/// failed calls among all calls that ran, which are those with another outcome than `rejected`, `cancelled` and
/// `deferred`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Condition {
    /// Prometheus cannot scrape the server. A process cannot evaluate this about itself.
    Down,
    /// The error ratio of the server within the window, if at least so many calls ran.
    ErrorRatio { above: f64, window: Duration, at_least: u64 },
    /// The share of failures among the results that a breaker counted as a success or failure, by breaker, if there are
    /// at least so many.
    DependencyErrorRatio { above: f64, window: Duration, at_least: u64 },
    /// The errors within an hour, by tool and code, of the kinds of [`is_counted`], without refusals of switches.
    /// Functions count if the server has no tools: otherwise one failure would count for a function and for its tool.
    ErrorsPerHour { above: u64 },
    /// The 95th percentile of the duration of a tool's calls as a share of its timeout, if there are so many calls. It is
    /// estimated within the buckets of the conventions, and at most the timeout.
    SlowP95 { share_of_timeout: f64, window: Duration, at_least: u64 },
    /// The 99th percentile of the duration of all tool calls of the server, if there are so many.
    SlowP99 { above: Duration, window: Duration, at_least: u64 },
    /// The 95th percentile of a tool, compared with that of a day before, if there are so many calls in both windows.
    /// Needs more history than a process keeps.
    SlowerThanYesterday { factor: f64, window: Duration, at_least: u64 },
    /// A breaker is open, or it is half-open and opened again after a failed probe within this window. If its open period
    /// is over, it is half-open. Breakers of partition keys count as one. It needs traffic, see [`AlertRule::traffic`].
    BreakerOpen { reopened: Duration },
    /// The resident memory as a share of the limit of the control group.
    Memory { above: f64 },
    /// The number of calls that wait for a permit of a bulkhead grew by more than `by` within the window, or by more
    /// than half of the places in all queues, if that is fewer. See [`queue_growth`].
    QueueGrowing { by: u64, window: Duration },
    /// There are deferred writes that were given up.
    DeadLetters,
    /// The level of service is not `normal`.
    LevelNotNormal,
    /// Requests with a wrong token for the routes for operators, and requests that a function of `authorize` refused.
    AccessRefused { above: u64, window: Duration },
    /// The error ratio in both windows is above `factor` times the share that [`OBJECTIVE`] admits, and at least so many
    /// calls failed within the long window. Only the pair of one hour can be evaluated in a process.
    BurnRate { factor: f64, long: Duration, short: Duration, at_least: u64 },
}

/// What the value of a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    /// A share, from 0 to 1, written as per cent.
    Share,
    Seconds,
    /// A multiple of another value.
    Times,
}

impl Condition {
    /// Returns what the value of the condition is: that which is compared with the threshold. For [`Self::SlowP95`] it is
    /// the percentile in seconds, for [`Self::SlowerThanYesterday`] the quotient, for [`Self::BurnRate`] the error ratio
    /// in the long window; for conditions without a threshold a count.
    pub(crate) const fn unit(&self) -> Unit {
        match self {
            Self::ErrorRatio { .. }
            | Self::DependencyErrorRatio { .. }
            | Self::Memory { .. }
            | Self::BurnRate { .. } => Unit::Share,
            Self::SlowP95 { .. } | Self::SlowP99 { .. } => Unit::Seconds,
            Self::SlowerThanYesterday { .. } => Unit::Times,
            Self::Down
            | Self::ErrorsPerHour { .. }
            | Self::BreakerOpen { .. }
            | Self::QueueGrowing { .. }
            | Self::DeadLetters
            | Self::LevelNotNormal
            | Self::AccessRefused { .. } => Unit::Count,
        }
    }
}

/// Returns whether [`Condition::ErrorsPerHour`] counts errors of this kind: not mistakes of callers, cancelled calls, and
/// what guards and switches refuse as they should.
pub(crate) fn is_counted(kind: ErrorKind) -> bool {
    matches!(kind.fault(), Fault::Operator | Fault::Upstream | Fault::Server) && kind != ErrorKind::Disabled
}

/// Replaces the placeholders of a summary or description: `{value}`, and a label in braces such as `{tool}`.
pub(crate) fn fill(text: &str, value_of: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (name, after))) = rest.split_once('{').and_then(|(a, b)| Some((a, b.split_once('}')?))) {
        filled.push_str(before);
        filled.push_str(&value_of(name));
        rest = after;
    }
    filled + rest
}

/// Returns the growth of the queues above which [`Condition::QueueGrowing`] holds, for so many places in all queues.
/// `None` if nothing can wait.
pub(crate) fn queue_growth(by: u64, places: u64) -> Option<u64> {
    (places > 0).then(|| by.min(places / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_other_text_stays() {
        let filled = fill("{value} of {tool}: {", |name| format!("<{name}>"));
        assert_eq!(filled, "<value> of <tool>: {");
    }

    #[test]
    fn names_and_runbooks_are_unique() {
        let mut names: Vec<_> = RULES.iter().flat_map(|rule| [rule.name, rule.runbook]).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!((names.len(), all), (2 * RULES.len(), 38));
        assert!(RULES.iter().all(|rule| rule.name.starts_with("Resilient") && rule.repeat >= rule.hold));
    }

    #[test]
    fn alerts_about_calls_need_traffic_for_half_of_the_time_that_they_hold() {
        let traffic = |name: &str| RULES.iter().find(|rule| rule.name == name).and_then(AlertRule::traffic);
        assert_eq!(traffic("ResilientBreakerOpen"), Some(Duration::from_secs(45)));
        assert_eq!(traffic("ResilientErrorsCritical"), Some(Duration::from_secs(150)));
        assert_eq!(traffic("ResilientMemoryHigh"), None);
    }

    #[test]
    fn a_queue_grows_by_half_of_its_places() {
        assert_eq!(
            [(100, 0), (100, 1), (100, 2), (100, 3), (100, 1_000)].map(|(by, places)| queue_growth(by, places)),
            [None, Some(0), Some(1), Some(1), Some(100)]
        );
    }
}
