//! The shared state that a registry uses.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(feature = "rate-limit")]
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SharedState;
#[cfg(feature = "rate-limit")]
use super::reach::{Reach, Wait};
#[cfg(feature = "rate-limit")]
use crate::clock::Moment;
use crate::panics::catch_panic;

/// What uses the shared state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    RateLimit,
    Breaker,
}

impl Part {
    #[cfg(any(feature = "http", feature = "otel", feature = "prometheus"))]
    pub(crate) const ALL: [Self; 2] = [Self::RateLimit, Self::Breaker];

    /// Returns the word used in the log and in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Breaker => "breaker",
        }
    }
}

/// The shared state that a registry uses, and what this replica knows about it.
#[derive(Debug)]
pub(crate) struct Replicas {
    pub(crate) state: Arc<dyn SharedState>,
    /// The number of replicas, if it is known.
    pub(crate) count: Option<NonZeroU32>,
    /// A random number that distinguishes this replica from the others.
    pub(crate) id: u128,
    #[cfg(feature = "rate-limit")]
    reach: Mutex<Reaches>,
    rate_limit: Degraded,
    breaker: Degraded,
}

/// Whether calls request permits of the state. Calls that wait less than others because of their deadlines are judged
/// separately: if the state is too slow for them, it may be fast enough for the others.
#[cfg(feature = "rate-limit")]
#[derive(Debug)]
struct Reaches {
    whole: Reach,
    short: Reach,
}

/// How often a part did without the shared state.
#[derive(Debug, Default)]
struct Degraded {
    count: AtomicU64,
    /// Whether the last time that the part needed the state, it did without.
    is_now: AtomicBool,
}

impl Replicas {
    pub(crate) fn new(state: Arc<dyn SharedState>, count: Option<NonZeroU32>) -> Self {
        Self {
            state,
            count,
            id: fastrand::u128(..),
            #[cfg(feature = "rate-limit")]
            reach: Mutex::new(Reaches { whole: Reach::new(), short: Reach::new() }),
            rate_limit: Degraded::default(),
            breaker: Degraded::default(),
        }
    }

    /// Begins to connect to the shared state.
    pub(crate) fn connect(&self) {
        catch_panic(|| self.state.connect());
    }

    /// Counts that a part did without the shared state. Logs it once until it works again.
    pub(crate) fn degraded(&self, part: Part, error: &str) {
        let degraded = self.of(part);
        degraded.count.fetch_add(1, Ordering::Relaxed);
        if !degraded.is_now.swap(true, Ordering::Relaxed) {
            catch_panic(|| tracing::warn!(event = "distributed.degraded", part = part.as_str(), error));
        }
    }

    /// Records that a part used the shared state. Logs it if the part did without before.
    pub(crate) fn recovered(&self, part: Part) {
        let degraded = self.of(part);
        if degraded.is_now.load(Ordering::Relaxed) && degraded.is_now.swap(false, Ordering::Relaxed) {
            catch_panic(|| tracing::info!(event = "distributed.recovered", part = part.as_str()));
        }
    }

    /// Returns how often each part did without the shared state.
    #[cfg(any(feature = "otel", feature = "prometheus"))]
    pub(crate) fn degraded_counts(&self) -> [(Part, u64); 2] {
        Part::ALL.map(|part| (part, self.of(part).count.load(Ordering::Relaxed)))
    }

    /// Returns the words of the parts that did without the shared state when they last needed it.
    #[cfg(feature = "http")]
    pub(crate) fn degraded_parts(&self) -> Vec<&'static str> {
        let is_degraded = |part: &Part| self.of(*part).is_now.load(Ordering::Relaxed);
        Part::ALL.into_iter().filter(is_degraded).map(Part::as_str).collect()
    }

    const fn of(&self, part: Part) -> &Degraded {
        match part {
            Part::RateLimit => &self.rate_limit,
            Part::Breaker => &self.breaker,
        }
    }
}

#[cfg(feature = "rate-limit")]
impl Replicas {
    /// Returns whether a call that can wait so long requests a permit of the state now.
    pub(crate) fn allows_request(&self, wait: Wait, now: Moment) -> bool {
        self.reach().of(wait).allows_request(now)
    }

    /// Records that the state did not give a permit or a rejection in time.
    pub(crate) fn failed(&self, wait: Wait, now: Moment) {
        self.reach().of(wait).failed(now);
    }

    /// Records that the state gave a permit or a rejection.
    pub(crate) fn answered(&self, wait: Wait, now: Moment) {
        let mut reach = self.reach();
        reach.of(wait).answered();
        let is_failing = reach.whole.is_failing(now) || reach.short.is_failing(now);
        drop(reach);
        if !is_failing {
            self.recovered(Part::RateLimit);
        }
    }

    fn reach(&self) -> MutexGuard<'_, Reaches> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "rate-limit")]
impl Reaches {
    const fn of(&mut self, wait: Wait) -> &mut Reach {
        match wait {
            Wait::Whole => &mut self.whole,
            Wait::Short => &mut self.short,
        }
    }
}
