//! The window of a breaker: `100` results or `"60s"`.

use std::fmt;
use std::time::Duration;

use crate::duration::format_duration;

/// The results over which a rate is computed.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::policy::{BreakerSettings, Window};
///
/// let settings = BreakerSettings::new().rate(0.5).window(Window::Time(Duration::from_secs(60)));
/// assert_eq!(settings.window.to_string(), "1m");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The last results, by number.
    Count(u32),
    /// The results of a period up to now, in ten buckets.
    Time(Duration),
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(results) => write!(f, "{results}"),
            Self::Time(length) => f.write_str(&format_duration(*length)),
        }
    }
}
