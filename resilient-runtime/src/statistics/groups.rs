//! Errors by tool and code: how many there were since the start, and how their number changes.

use std::sync::Arc;
use std::time::SystemTime;

use resilient_policy::ErrorKind;

use super::failures::ErrorCount;
use super::last_day::{Hours, add};
use super::tool::ToolStatistics;
use crate::clock::Moment;

/// The minimum number of errors in an hour that can be a rise, or from which there can be a fall.
const FEWEST: u64 = 10;

/// The errors of one tool, or of one MCP method, that have the same code.
///
/// ```
/// use resilient_runtime::Registry;
///
/// for group in Registry::global().error_groups() {
///     eprintln!("{} times {} of {}", group.count, group.code, group.tool);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorGroup {
    /// The name of the tool, or the MCP method of another request.
    pub tool: Arc<str>,
    /// The code of the errors, or `_OTHER`.
    pub code: Arc<str>,
    /// The kind of the last error.
    pub kind: ErrorKind,
    /// The number of errors.
    pub count: u64,
    /// The time of the first error.
    pub first: SystemTime,
    /// The time of the last error.
    pub last: SystemTime,
}

/// How the number of errors in the last hour compares with the hour before it.
///
/// ```
/// use resilient_runtime::statistics::Trend;
///
/// let words: Vec<_> = Trend::ALL.iter().map(|trend| trend.as_str()).collect();
/// assert_eq!(words, ["rising", "falling", "steady"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trend {
    /// There were at least 10 errors in the last hour, and more than 1.5 times as many as in the hour before.
    Rising,
    /// There were at least 10 errors in the hour before, and in the last hour less than half as many.
    Falling,
    /// Neither: about as many errors as in the hour before, or too few to say more.
    Steady,
}

impl Trend {
    /// All trends.
    pub const ALL: &'static [Self] = &[Self::Rising, Self::Falling, Self::Steady];

    /// Returns the word used in responses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::Steady => "steady",
        }
    }

    const fn of(last_hour: u64, hour_before: u64) -> Self {
        if last_hour >= FEWEST && last_hour.saturating_mul(2) > hour_before.saturating_mul(3) {
            Self::Rising
        } else if hour_before >= FEWEST && last_hour.saturating_mul(2) < hour_before {
            Self::Falling
        } else {
            Self::Steady
        }
    }
}

/// The errors of the last 24 hours of one tool, or of one MCP method, that have the same code.
///
/// The hours are not those of the wall clock: the last hour ends now, and all of them move on in steps of five minutes.
/// The last hour therefore is 55 to 60 minutes long, and contains the step that has begun; each of the others is 60
/// minutes long. They are measured by the monotonic clock. Time for which the machine is suspended counts only if it
/// does for [`Instant`](std::time::Instant), which is not the case on Linux and macOS.
///
/// ```
/// use resilient_runtime::Registry;
///
/// for errors in Registry::global().error_trends().iter().take(10) {
///     let (tool, code, trend) = (&errors.tool, &errors.code, errors.trend.as_str());
///     eprintln!("{tool}: {code} is {trend}, {} in the last hour, {} before", errors.last_hour, errors.hour_before);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorTrend {
    /// The name of the tool, or the MCP method of another request.
    pub tool: Arc<str>,
    /// The code of the errors, or `_OTHER`.
    pub code: Arc<str>,
    /// The kind of the last error.
    pub kind: ErrorKind,
    /// How the last hour compares with the hour before it.
    pub trend: Trend,
    /// The number of errors in the last hour.
    pub last_hour: u64,
    /// The number of errors in the hour before the last.
    pub hour_before: u64,
    /// The number of errors in the last 24 hours, at least 1.
    pub last_24_hours: u64,
    /// The number of errors in each of the last 24 hours, the oldest first.
    pub hours: [u64; 24],
}

/// A group and its errors by hour.
struct Grouped {
    group: ErrorGroup,
    hours: Hours,
}

impl ErrorGroup {
    /// Groups the errors that each tool has counted; the group with the most recent error is first.
    pub(crate) fn of(tools: &[(Arc<str>, Arc<ToolStatistics>)]) -> Vec<Self> {
        let mut groups: Vec<_> = grouped(tools, Moment::now()).into_iter().map(|grouped| grouped.group).collect();
        groups.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| (&a.tool, &a.code).cmp(&(&b.tool, &b.code))));
        groups
    }

    fn new(tool: &Arc<str>, error: ErrorCount) -> Self {
        let ErrorCount { code, kind, count, first, last, .. } = error;
        Self { tool: Arc::clone(tool), code, kind, count, first, last }
    }
}

impl ErrorTrend {
    /// Groups the errors of the last 24 hours that each tool has counted; the group with the most errors is first.
    pub(crate) fn of(tools: &[(Arc<str>, Arc<ToolStatistics>)]) -> Vec<Self> {
        let grouped = grouped(tools, Moment::now()).into_iter().map(Self::from);
        let mut trends: Vec<_> = grouped.filter(|trend| trend.last_24_hours > 0).collect();
        let rank = |trend: &Self| (trend.last_24_hours, trend.last_hour);
        trends.sort_by(|a, b| rank(b).cmp(&rank(a)).then_with(|| (&a.tool, &a.code).cmp(&(&b.tool, &b.code))));
        trends
    }
}

impl From<Grouped> for ErrorTrend {
    fn from(Grouped { group: ErrorGroup { tool, code, kind, .. }, hours }: Grouped) -> Self {
        let [.., hour_before, last_hour] = hours;
        let trend = Trend::of(last_hour, hour_before);
        Self { tool, code, kind, trend, last_hour, hour_before, last_24_hours: hours.iter().sum(), hours }
    }
}

/// Groups the errors of each tool by code, over all kinds and severities.
fn grouped(tools: &[(Arc<str>, Arc<ToolStatistics>)], now: Moment) -> Vec<Grouped> {
    let mut all: Vec<Grouped> = Vec::new();
    for (tool, statistics) in tools {
        let begin = all.len();
        for (error, hours) in statistics.errors_by_hour(now) {
            let known = all.iter_mut().skip(begin).find(|known| known.group.code == error.code);
            let Some(Grouped { group, hours: known_hours }) = known else {
                all.push(Grouped { group: ErrorGroup::new(tool, error), hours });
                continue;
            };
            if error.last >= group.last {
                (group.kind, group.last) = (error.kind, error.last);
            }
            group.first = group.first.min(error.first);
            group.count += error.count;
            add(known_hours, &hours);
        }
    }
    all
}
