//! A rate limit that all replicas of a server share. The shared state decides; while it does not answer, each replica
//! decides alone about its share.

use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use resilient_policy::{Rate, RateLimitSettings};

use super::keyed::LocalLimits;
use super::rejected;
use super::rejections::{Rejection, Rejections};
use crate::clock::Moment;
use crate::error::{LimitKind, ResilienceError};
use crate::panics::answer_within;
use crate::replicas::{Part, PermitRequest, Replicas, Taken, Wait};

/// How long a call waits for the shared state.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// A request for a permit that runs. It ends within 50 ms, and at the deadline of its call.
pub(crate) type PendingPermit = Pin<Box<dyn Future<Output = Result<(), ResilienceError>> + Send>>;

/// The response to a request for a permit of all replicas.
pub(crate) enum LimitResponse {
    /// It is decided without the shared state.
    Decided(Result<(), ResilienceError>),
    /// The shared state decides.
    Pending(PendingPermit),
}

/// What a rate limit shares with other replicas.
pub(super) struct Distributed {
    name: &'static str,
    /// Unset until the start.
    replicas: Arc<OnceLock<Arc<Replicas>>>,
    rejections: Rejections,
    /// The permits that this replica gives alone. Those that the shared state grants are taken here as well, so that
    /// the share is as used up as it should be when the shared state fails.
    share: OnceLock<LocalLimits>,
    /// Locked while the settings of the share change.
    adjusting: Mutex<()>,
}

/// A request for a permit of one limit.
struct Request {
    limit: Arc<Distributed>,
    replicas: Arc<Replicas>,
    settings: RateLimitSettings,
    /// The generation of the settings.
    generation: u64,
    key: Option<u128>,
}

impl Distributed {
    pub(super) fn new(name: &'static str, replicas: Arc<OnceLock<Arc<Replicas>>>) -> Self {
        Self { name, replicas, rejections: Rejections::new(), share: OnceLock::new(), adjusting: Mutex::new(()) }
    }

    /// Returns whether there is a shared state.
    pub(super) fn is_shared(&self) -> bool {
        self.replicas.get().is_some()
    }

    /// Requests a permit. Returns `None` if there is no shared state.
    #[cold]
    pub(super) fn request(
        self: &Arc<Self>,
        settings: impl FnOnce() -> RateLimitSettings,
        key: Option<u128>,
        deadline: Moment,
    ) -> Option<LimitResponse> {
        let replicas = self.replicas.get()?;
        let now = Moment::now();
        // The shared state would reject it as well.
        if let Some(retry_after) = self.rejections.remaining(key, now) {
            return Some(LimitResponse::Decided(Err(rejected(LimitKind::RateLimit, retry_after))));
        }
        // In this order, so that no rejection of old settings is taken for one of new settings.
        let (generation, settings) = (self.rejections.generation(), settings());
        let request = Request { limit: Arc::clone(self), replicas: Arc::clone(replicas), settings, generation, key };
        let longest = LONGEST_WAIT.min(deadline.since(now));
        let wait = if longest < LONGEST_WAIT { Wait::Short } else { Wait::Whole };
        Some(if replicas.allows_request(wait, now) {
            LimitResponse::Pending(Box::pin(request.send(longest, wait, deadline)))
        } else {
            let why = "it is skipped for a second, because it failed three times in a row";
            LimitResponse::Decided(request.decide_alone(why))
        })
    }

    /// Replaces the rate and the burst of the share. The rejections of the shared state are not true with other
    /// settings.
    #[cfg(feature = "config")]
    pub(super) fn adjust(&self, settings: RateLimitSettings) {
        self.rejections.clear();
        if let (Some(share), Some(replicas)) = (self.share.get(), self.replicas.get()) {
            let _adjusting = self.adjusting.lock().unwrap_or_else(PoisonError::into_inner);
            share.adjust(share_of(settings, replicas.count));
        }
    }
}

impl Request {
    /// Waits for the shared state, as long as the longest wait.
    async fn send(self, longest: Duration, wait: Wait, deadline: Moment) -> Result<(), ResilienceError> {
        let request = PermitRequest { limit: self.limit.name, key: self.key, settings: self.settings };
        let taken = answer_within(longest, || self.replicas.state.take(&request)).await;
        let now = Moment::now();
        match taken {
            Ok(Taken::Granted) => {
                self.replicas.answered(wait, now);
                // The shared state has decided.
                let _ = self.share().check(self.key);
                Ok(())
            }
            Ok(Taken::Rejected { retry_after }) => {
                self.replicas.answered(wait, now);
                let retry_after = retry_after.min(refill(self.settings));
                let rejection = Rejection { until: now.after(retry_after), generation: self.generation };
                self.limit.rejections.add(self.key, rejection, now, self.settings.max_keys);
                Err(rejected(LimitKind::RateLimit, retry_after))
            }
            Err(error) => {
                self.replicas.failed(wait, now);
                // There is nothing to decide about a call whose deadline has passed.
                if now < deadline { self.decide_alone(&error) } else { Ok(()) }
            }
        }
    }

    /// Takes a permit of the share of this replica.
    fn decide_alone(&self, error: &str) -> Result<(), ResilienceError> {
        self.replicas.degraded(Part::RateLimit, error);
        self.share().check(self.key)
    }

    /// Returns the permits of this replica, with the settings that apply.
    fn share(&self) -> &LocalLimits {
        let wanted = share_of(self.settings, self.replicas.count);
        let share = self.limit.share.get_or_init(|| LocalLimits::new(wanted));
        // Another call may have created it before a reload, with the settings of then.
        if share.settings() != wanted {
            let _adjusting = self.limit.adjusting.lock().unwrap_or_else(PoisonError::into_inner);
            // The settings of this request may be those before a reload as well.
            if self.generation == self.limit.rejections.generation() {
                share.adjust(wanted);
            }
        }
        share
    }
}

/// Returns the settings of one of several replicas: each permit comes back so many times later, and the burst is
/// rounded up.
fn share_of(settings: RateLimitSettings, replicas: Option<NonZeroU32>) -> RateLimitSettings {
    let Some(replicas) = replicas else { return settings };
    let Rate { calls, period } = settings.rate;
    let rate = Rate { calls, period: period.saturating_mul(replicas.get()) };
    settings.rate(rate).burst(settings.bursts().div_ceil(replicas.get()).max(1))
}

/// Returns the time in which a used-up burst comes back. No rejection lasts longer.
fn refill(settings: RateLimitSettings) -> Duration {
    settings.interval().saturating_mul(settings.bursts().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(calls: u32, period: Duration, replicas: u32) -> RateLimitSettings {
        share_of(RateLimitSettings::new(calls, period), NonZeroU32::new(replicas))
    }

    #[test]
    fn the_share_of_a_rate_is_exact_and_that_of_a_burst_is_rounded_up() {
        let second = Duration::from_secs(1);
        let third = share(100, second, 3);
        assert_eq!(third.interval(), Duration::from_millis(30), "33.3 calls in each second");
        assert_eq!(third.bursts(), 34);
        assert_eq!(share(2, second, 5).bursts(), 1);
        let whole = RateLimitSettings::new(100, second);
        assert_eq!(share_of(whole, None), whole);
        assert_eq!(share(100, second, 1).interval(), whole.interval());
    }

    #[test]
    fn the_share_of_extreme_settings_gives_at_least_one_permit() {
        for calls in [0, 1, u32::MAX] {
            for period in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
                for replicas in [1, 3, u32::MAX] {
                    let share = LocalLimits::new(share(calls, period, replicas));
                    assert_eq!(share.check(None), Ok(()), "{calls} {period:?} {replicas}");
                }
            }
        }
    }

    #[test]
    fn no_rejection_lasts_longer_than_a_burst_takes_to_come_back() {
        let settings = RateLimitSettings::new(10, Duration::from_secs(1)).burst(5);
        assert_eq!(refill(settings), Duration::from_millis(500));
        assert_eq!(refill(RateLimitSettings::new(0, Duration::MAX).burst(0)), Duration::MAX);
    }
}
