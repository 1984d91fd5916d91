//! Wall-clock times, in whole milliseconds.

use std::time::Duration;

/// A wall-clock time in milliseconds since 1970.
///
/// Stores do not read a clock: every method that needs the time receives it. All arithmetic saturates.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::deferred::Timestamp;
///
/// let accepted = Timestamp::from_millis(1_000);
/// let due = accepted.after(Duration::from_secs(30));
/// assert_eq!(due.millis(), 31_000);
/// assert_eq!(due.since(accepted), Duration::from_secs(30));
/// assert_eq!(accepted.since(due), Duration::ZERO);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest time. As a signed 64-bit number it is still positive, so that every store can store it.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// Creates a time from milliseconds since 1970, at most [`MAX`](Self::MAX).
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 { Self::MAX } else { Self(millis) }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Returns the time after a duration, which counts in whole milliseconds.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(crate::clock::saturating_millis(duration)))
    }

    /// Returns the time before a duration, which counts in whole milliseconds.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(crate::clock::saturating_millis(duration)))
    }

    /// Returns the duration since an earlier time, or zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
