//! The clock: that of Tokio, so that calls and timers agree when a test pauses time.
//!
//! A call reads the time at its start and at its end, which would be most of its cost. In builds in which the clock
//! cannot be paused, [`Moment`] reads the processor's counter instead.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod counter;
mod moment;

use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, Sleep};

#[cfg(all(feature = "rate-limit", feature = "replicas"))]
pub(crate) use moment::AtomicMoment;
pub(crate) use moment::{CAN_BE_PAUSED, Length, Moment};

/// The minimum delay of a timer that counts as a stall of the process.
const LATE: Duration = Duration::from_millis(500);

/// Returns whether a timer of this length that fired this late shows that the process stalled. If so, the result of
/// what waited for it says nothing about a dependency.
pub(crate) fn is_far_too_late(by: Duration, length: Duration) -> bool {
    by > LATE.max(length / 4)
}

/// Returns nanoseconds since an hour before the first use in this process. The result is capped ten years before the
/// largest number, so that a moment a few years later is representable as well.
#[cfg(feature = "rate-limit")]
pub(crate) fn nanos(now: Instant) -> u64 {
    const END: u64 = u64::MAX - 10 * 365 * 24 * 60 * 60 * 1_000_000_000;
    saturating_nanos(since_origin(now)).min(END)
}

/// Returns the origin, in real time even if the caller's clock is paused. A paused clock starts at the real time of
/// the pause and only moves when advanced, so it can be behind the first use. An origin an hour earlier is before
/// every test.
fn origin() -> &'static std::time::Instant {
    const MARGIN: Duration = Duration::from_secs(60 * 60);
    static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
    ORIGIN.get_or_init(|| {
        let now = std::time::Instant::now();
        now.checked_sub(MARGIN).unwrap_or(now)
    })
}

fn since_origin(now: Instant) -> Duration {
    now.into_std().saturating_duration_since(*origin())
}

fn saturating_nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}

/// Returns whole milliseconds, saturating at the largest number.
pub(crate) fn saturating_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns whole microseconds, saturating at the largest number.
pub(crate) fn saturating_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Returns a wall-clock time in milliseconds since 1970; zero for times before that.
pub(crate) fn unix_millis(moment: SystemTime) -> u64 {
    saturating_millis(moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Returns `now + after`, or a time about thirty years from now if that is not representable, which is also tokio's
/// value for "far".
pub(crate) fn later(now: Instant, after: Duration) -> Instant {
    now.checked_add(after).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365 * 30))
}

/// Polls a timer, and also compares its deadline with the clock: if a body uses up the cooperative budget of its task,
/// the timer is never ready, and the body would never be cut off.
pub(crate) fn poll_timer(timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    poll_timer_for(Moment::of(timer.deadline()), timer, cx)
}

/// Like [`poll_timer`], for a timer whose deadline is known.
pub(crate) fn poll_timer_for(due: Moment, timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    match timer.poll(cx) {
        Poll::Pending if Moment::now() < due => Poll::Pending,
        Poll::Pending | Poll::Ready(()) => Poll::Ready(()),
    }
}
