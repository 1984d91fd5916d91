//! Rate limits: a number of calls per period, with bursts. They never wait, except for the answer of the state that
//! replicas share.
//!
//! The algorithm is governor's GCRA, with one number per limit: the theoretical arrival time. It runs on the clock that
//! the rest of a call uses, which tests can pause.

#[cfg(feature = "replicas")]
mod distributed;
mod keyed;
mod limiter;
mod limits;
#[cfg(feature = "replicas")]
mod rejections;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;
use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::state::NotKeyed;
use resilient_policy::RateLimitSettings;
use tokio::time::Instant;

#[cfg(feature = "replicas")]
pub(crate) use distributed::{LimitResponse, PendingPermit};
use limiter::{Limiter, Single};
pub(crate) use limits::RateLimits;

use crate::clock;
use crate::error::{LimitKind, ResilienceError};

type Until = governor::NotUntil<Nanos>;

/// A rate limit: limits the number of calls per period. It can be a `static`.
///
/// The `calls` in each `period` are spread evenly: one permit becomes available every `period / calls`. Up to
/// [`burst`](Self::burst) permits accumulate while there are no calls, and all of them are available initially. A burst
/// that would take more than a year to replenish is cut to what is replenished within a year.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use resilient_runtime::{RateLimit, ResilienceError};
///
/// static SEARCHES: RateLimit = RateLimit::new(10, Duration::from_secs(1)).burst(2);
///
/// assert!(SEARCHES.check().is_ok() && SEARCHES.check().is_ok());
/// match SEARCHES.check() {
///     Err(ResilienceError::Overloaded { retry_after, .. }) => {
///         assert_eq!(retry_after, Some(Duration::from_millis(100)));
///     }
///     other => panic!("{other:?}"),
/// }
/// tokio::time::advance(Duration::from_millis(100)).await;
/// assert!(SEARCHES.check().is_ok());
/// # });
/// ```
pub struct RateLimit {
    settings: RateLimitSettings,
    limiter: Limiter<NotKeyed, Single>,
}

impl RateLimit {
    /// Creates a limit of `calls` per `period`, with a burst of the same size. Zero calls count as 1, and a zero period
    /// as the shortest one.
    #[must_use]
    pub const fn new(calls: u32, period: Duration) -> Self {
        Self::with(RateLimitSettings::new(calls, period))
    }

    /// Creates a rate limit with these settings.
    #[must_use]
    pub const fn with(settings: RateLimitSettings) -> Self {
        Self { settings, limiter: Limiter::new() }
    }

    /// Sets the number of calls that may start at once after a time without calls.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.settings = self.settings.burst(burst);
        self
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> RateLimitSettings {
        self.limiter.settings(self.settings)
    }

    /// Replaces the rate and the burst. Permits that were taken stay taken, up to the new burst, and come back at the
    /// new rate.
    #[cfg(feature = "config")]
    pub(crate) fn adjust(&self, settings: RateLimitSettings) {
        self.limiter.adjust(settings);
    }

    /// Takes a permit for one call. It cannot be returned. This never waits: to wait, sleep for the time in the error
    /// and try again.
    ///
    /// # Errors
    /// [`ResilienceError::Overloaded`] if there is no permit, with the exact time after which there will be one unless
    /// another call takes it.
    pub fn check(&self) -> Result<(), ResilienceError> {
        let checked = self.limiter.with(self.settings, |rated| rated.limiter.check());
        checked.map_err(|until| overloaded(LimitKind::RateLimit, &until))
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("settings", &self.settings()).finish_non_exhaustive()
    }
}

/// The clock that the rest of a call uses, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        clock::nanos(Instant::now()).into()
    }
}

/// Converts the settings for governor, limited to what its arithmetic can hold.
fn quota(settings: RateLimitSettings) -> Quota {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let interval = settings.interval().min(YEAR);
    let most = u32::try_from(YEAR.as_nanos() / interval.as_nanos().max(1)).unwrap_or(u32::MAX);
    let burst = NonZeroU32::new(settings.bursts().min(most)).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}

fn overloaded(limit: LimitKind, until: &Until) -> ResilienceError {
    rejected(limit, until.wait_time_from(TokioClock.now()))
}

const fn rejected(limit: LimitKind, retry_after: Duration) -> ResilienceError {
    ResilienceError::Overloaded { limit, retry_after: Some(retry_after), level: None, since_unix_s: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_settings_neither_panic_nor_let_nothing_through() {
        for calls in [0, 1, u32::MAX] {
            for period in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(1), Duration::MAX] {
                for burst in [0, 1, u32::MAX] {
                    let limit = RateLimit::new(calls, period).burst(burst);
                    assert_eq!(limit.check(), Ok(()), "{limit:?}");
                    let _ = limit.check();
                }
            }
        }
    }

    #[cfg(feature = "config")]
    #[tokio::test(start_paused = true)]
    async fn what_was_taken_stays_taken_and_comes_back_at_the_new_rate() {
        let second = Duration::from_secs(1);
        let limit = RateLimit::new(10, second);
        assert!((0..10).all(|_| limit.check().is_ok()));
        limit.adjust(RateLimitSettings::new(1, second).burst(20));
        assert!((0..10).all(|_| limit.check().is_ok()), "the larger burst is there at once");
        assert!(limit.check().is_err());
        tokio::time::advance(second).await;
        assert!(limit.check().is_ok() && limit.check().is_err());
        for _ in 0..1_000 {
            limit.adjust(RateLimitSettings::new(100, second).burst(3));
            limit.adjust(RateLimitSettings::new(1, second).burst(3));
        }
        assert!(limit.check().is_err(), "a change gives nothing back");
        tokio::time::advance(3 * second).await;
        assert!((0..3).all(|_| limit.check().is_ok()), "and no more is owed than a burst");
        assert!(limit.check().is_err());
    }

    #[test]
    fn many_threads_take_no_more_than_there_are() {
        let limit = RateLimit::new(1, Duration::from_secs(3_600)).burst(100);
        let taken: usize = std::thread::scope(|scope| {
            let takes = || (0..1_000).filter(|_| limit.check().is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(takes)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 100);
    }
}
