//! Calls that the operator's switches refuse: the reason, and the texts about it.

use std::time::{Duration, SystemTime};

use resilient_policy::{ErrorKind, Level};

/// The switch of the operator that refused a call. See [`gate`](crate::gate).
///
/// ```
/// assert_eq!(resilient_runtime::error::RefusalReason::ReadOnly.as_str(), "read_only");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The server is read-only, and the tool is not known to read.
    ReadOnly,
    /// The tool, or a feature that it belongs to, is off.
    Disabled,
    /// The tool reads, and such tools answer from the cache alone.
    CacheOnly,
}

impl RefusalReason {
    /// Returns the word used in responses, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::Disabled => "disabled",
            Self::CacheOnly => "cache_only",
        }
    }

    pub(super) const fn kind(self) -> ErrorKind {
        match self {
            Self::ReadOnly => ErrorKind::ReadOnly,
            Self::Disabled => ErrorKind::Disabled,
            Self::CacheOnly => ErrorKind::Unavailable,
        }
    }

    /// Returns the sentence for the model, about `tool` or else "this tool".
    pub(super) fn sentence(self, tool: Option<&str>, level: Option<Level>, since: SystemTime) -> String {
        let tool = tool.map_or_else(|| "this tool".to_owned(), |tool| format!("`{tool}`"));
        let cause = cause(level, since, SystemTime::now());
        match self {
            Self::ReadOnly => format!("{tool} is switched off while this server is read-only ({cause})"),
            Self::Disabled => format!("{tool} is switched off ({cause})"),
            Self::CacheOnly => {
                format!("{tool} has no answer of an earlier call, and new answers are switched off ({cause})")
            }
        }
    }

    /// Returns the advice for the model.
    pub(super) const fn advice(self, cache_only: bool) -> &'static str {
        match (self, cache_only) {
            (Self::ReadOnly, false) => "Tools that only read still work.",
            (Self::ReadOnly, true) => "Tools that only read have at most the answers of earlier calls.",
            (Self::CacheOnly, _) => "Continue without this tool.",
            (Self::Disabled, _) => self.kind().default_hint(),
        }
    }
}

/// Returns the level and the time since when it holds, as people read it.
pub(super) fn cause(level: Option<Level>, since: SystemTime, now: SystemTime) -> String {
    let (date, time) = in_utc(since);
    let minutes = time.rsplit_once(':').map_or(&*time, |(minutes, _)| minutes);
    let since = if in_utc(now).0 == date { format!("{minutes} UTC") } else { format!("{date} {minutes} UTC") };
    level.map_or_else(|| format!("since {since}"), |level| format!("level {level}, since {since}"))
}

/// Formats a time as in RFC 3339, in seconds.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let (date, time) = in_utc(at);
    format!("{date}T{time}Z")
}

/// Returns the date and the time of day in UTC: `2026-11-29` and `12:03:07`.
fn in_utc(at: SystemTime) -> (String, String) {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // The end of the year 9999, beyond which `httpdate` has no format.
    const END: Duration = Duration::from_secs(253_402_300_799);
    let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(END);
    // `Sun, 29 Nov 2026 12:03:07 GMT`
    let text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since_1970);
    let mut parts = text.split(' ').skip(1);
    let mut next = || parts.next().unwrap_or_default();
    let (day, month, year, time) = (next(), next(), next(), next());
    let month = 1 + MONTHS.iter().position(|name| *name == month).unwrap_or_default();
    (format!("{year}-{month:02}-{day}"), time.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_time_is_written_as_programs_and_people_read_it() {
        let noon = at(1_795_953_787);
        assert_eq!(rfc3339(noon), "2026-11-29T12:03:07Z");
        assert_eq!(cause(Some(Level::Minimal), noon, at(1_795_960_000)), "level minimal, since 12:03 UTC");
        assert_eq!(cause(None, noon, at(1_796_060_000)), "since 2026-11-29 12:03 UTC");
    }

    #[test]
    fn times_that_no_calendar_has_are_written_as_the_nearest_one() {
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(at(1 << 40)), "9999-12-31T23:59:59Z");
    }
}
