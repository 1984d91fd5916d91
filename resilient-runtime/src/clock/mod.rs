//! The one clock: tokio's, so that a test under paused time sees the same world as the timers.
//!
//! A call asks for the time at its beginning and at its end, which would be most of what it costs: where
//! nobody can pause the clock, [`Moment`] reads the processor's counter instead.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod counter;
mod moment;

use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, Sleep};

pub(crate) use moment::{CAN_BE_PAUSED, Length, Moment};

/// By how much a timer has to fire late, at least, before the process counts as having stood still.
const LATE: Duration = Duration::from_millis(500);

/// Whether a timer of this length that is over by so much shows that the process stood still: what waited for it says
/// nothing about a dependency then.
pub(crate) fn is_far_too_late(by: Duration, length: Duration) -> bool {
    by > LATE.max(length / 4)
}

/// Nanoseconds since an hour before this process first asked. It stops some years before the largest
/// number, so that a moment a few years later is a number as well.
#[cfg(feature = "rate-limit")]
pub(crate) fn nanos(now: Instant) -> u64 {
    const END: u64 = u64::MAX - 10 * 365 * 24 * 60 * 60 * 1_000_000_000;
    saturating_nanos(since_origin(now)).min(END)
}

/// The origin is real time even where the caller's clock is paused. A paused clock starts at what
/// was the real now and only moves ahead by hand, so it may be behind who asked first; an origin
/// an hour earlier is before every test.
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

/// Whole milliseconds, the largest number for what does not fit.
pub(crate) fn saturating_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whole microseconds, likewise.
pub(crate) fn saturating_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A moment of the wall clock in milliseconds since 1970; none before it.
pub(crate) fn unix_millis(moment: SystemTime) -> u64 {
    saturating_millis(moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// The moment `after` from `now`; for what no clock can express, about thirty years from now,
/// which is what tokio itself takes for "far".
pub(crate) fn later(now: Instant, after: Duration) -> Instant {
    now.checked_add(after).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365 * 30))
}

/// Whether a timer is over, by itself or by the clock: a body that uses up all that tokio lets a
/// task do at a time leaves nothing for its timer, and would never be cut off.
pub(crate) fn poll_timer(mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    let until = timer.deadline();
    match timer.as_mut().poll(cx) {
        Poll::Pending if Instant::now() < until => Poll::Pending,
        Poll::Pending | Poll::Ready(()) => Poll::Ready(()),
    }
}
