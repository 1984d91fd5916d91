//! Points in time, stored as one number so that they are cheap to compare.

#[cfg(all(feature = "rate-limit", feature = "replicas"))]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{later, origin, saturating_nanos, since_origin};

/// A point in time: nanoseconds since an hour before the first use in this process, enough for 500 years. All
/// arithmetic saturates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// A duration in nanoseconds. All arithmetic saturates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length(u64);

impl Length {
    pub(crate) const ENDLESS: Self = Self(u64::MAX);
}

impl From<Duration> for Length {
    fn from(duration: Duration) -> Self {
        Self(saturating_nanos(duration))
    }
}

impl Moment {
    /// The earliest moment.
    pub(crate) const FIRST: Self = Self(0);

    /// The latest moment, used for "never".
    pub(crate) const LAST: Self = Self(u64::MAX);

    pub(crate) fn now() -> Self {
        Self::now_inline()
    }

    /// Like [`now`](Self::now), compiled into its caller.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 instructions more")]
    #[inline(always)]
    pub(crate) fn now_inline() -> Self {
        #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
        if !CAN_BE_PAUSED && let Some(nanos) = super::counter::nanos() {
            return Self(nanos);
        }
        Self::of(Instant::now())
    }

    /// Converts from an instant of Tokio's clock.
    pub(crate) fn of(instant: Instant) -> Self {
        Self(saturating_nanos(since_origin(instant)))
    }

    pub(crate) fn after(self, length: impl Into<Length>) -> Self {
        Self(self.0.saturating_add(length.into().0))
    }

    /// Returns the time since an earlier moment, or zero if `earlier` is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Like [`since`](Self::since), in whole microseconds, the unit of all counted durations.
    pub(crate) const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000
    }

    /// Converts to an instant of Tokio's clock, for a timer.
    pub(crate) fn instant(self) -> Instant {
        later(Instant::from_std(*origin()), Duration::from_nanos(self.0))
    }

    /// Returns whole milliseconds since the origin.
    pub(crate) const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Returns whole seconds since the origin.
    pub(crate) const fn seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }
}

/// A point in time that threads share.
#[cfg(all(feature = "rate-limit", feature = "replicas"))]
#[derive(Debug)]
pub(crate) struct AtomicMoment(AtomicU64);

#[cfg(all(feature = "rate-limit", feature = "replicas"))]
impl AtomicMoment {
    pub(crate) const fn new(moment: Moment) -> Self {
        Self(AtomicU64::new(moment.0))
    }

    pub(crate) fn get(&self) -> Moment {
        Moment(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, moment: Moment) {
        self.0.store(moment.0, Ordering::Relaxed);
    }
}

/// Whether Tokio's clock can be paused in this build. That is the case if tokio has the feature `test-util`, which
/// other crates cannot query. But only then does `tokio::time::pause` exist, which the glob import resolves to instead
/// of ours.
pub(crate) const CAN_BE_PAUSED: bool = {
    #[allow(unused_imports, clippy::wildcard_imports, reason = "decides which `pause` is found")]
    use tokio::time::*;
    stops_time(pause)
};

#[allow(dead_code, reason = "unused if tokio has one")]
const fn pause() -> Nothing {
    Nothing
}

struct Nothing;

trait Stops {
    const TIME: bool;
}

impl Stops for Nothing {
    const TIME: bool = false;
}

/// The return type of tokio's `pause`.
impl Stops for () {
    const TIME: bool = true;
}

const fn stops_time<R: Stops>(_: fn() -> R) -> bool {
    R::TIME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_whose_clock_can_be_paused_knows_it() {
        // The tests of this crate have `test-util`. The benches do not: they would be slow with it.
        const { assert!(CAN_BE_PAUSED) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_and_its_instant_are_the_same() {
        let (moment, instant) = (Moment::now(), Instant::now());
        assert_eq!((moment.instant(), Moment::of(instant)), (instant, moment));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(Moment::now().since(moment), Duration::from_secs(2));
        assert_eq!(moment.after(Duration::from_secs(3)).instant(), instant + Duration::from_secs(3));
    }

    #[test]
    fn what_is_too_far_away_is_as_far_as_can_be() {
        let now = Moment::now();
        assert_eq!(now.after(Duration::MAX), Moment(u64::MAX));
        assert!(now.after(Duration::MAX).instant() > Instant::now() + Duration::from_secs(86_400));
        assert_eq!(now.since(now.after(Duration::from_secs(1))), Duration::ZERO);
    }
}
