//! The part of a tool's policy that a stored write carries, and the bounds of a store.

use std::time::Duration;

use resilient_policy::Retry;

/// What happens to a write whose tries or time are used up, or whose failure is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnExhausted {
    /// It becomes a dead letter, which an operator can retry or discard.
    #[default]
    DeadLetter,
    /// Its arguments are erased.
    Discard,
    /// It becomes a dead letter, and the operator gets an alert.
    Notify,
}

impl OnExhausted {
    /// Returns the word used in attributes, files and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetter => "dead_letter",
            Self::Discard => "discard",
            Self::Notify => "notify",
        }
    }

    /// Returns the value of a word of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::DeadLetter, Self::Discard, Self::Notify].into_iter().find(|it| it.as_str() == word)
    }
}

/// How a stored write is delivered: the policy of its tool at the time of acceptance. Durations are stored in whole
/// milliseconds.
///
/// ```
/// use resilient_runtime::deferred::DeliveryPolicy;
///
/// let policy = DeliveryPolicy::default();
/// let seconds: Vec<_> = (0..8).map(|used| policy.delay(used, 1.0).as_secs()).collect();
/// assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1800, 1800]);
/// assert_eq!(policy.delay(0, 0.0).as_secs(), 15); // jitter shortens a delay by up to a half
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryPolicy {
    /// The maximum number of tries. Default 8.
    pub tries: u32,
    /// The nominal delay before the first try; each further delay is twice as long. Default 30 s.
    pub base: Duration,
    /// The longest delay. Default 30 min.
    pub cap: Duration,
    /// The time from acceptance after which no try begins. Default 24 h.
    pub ttl: Duration,
    /// What happens if tries or time are used up. Default [`OnExhausted::DeadLetter`].
    pub on_exhausted: OnExhausted,
}

impl Default for DeliveryPolicy {
    fn default() -> Self {
        Self {
            tries: 8,
            base: Duration::from_secs(30),
            cap: Duration::from_secs(30 * 60),
            ttl: Duration::from_secs(24 * 60 * 60),
            on_exhausted: OnExhausted::DeadLetter,
        }
    }
}

impl DeliveryPolicy {
    /// Returns the delay before the next try if `tries_used` tries were used. `random` is in `0.0..1.0`.
    ///
    /// The jitter is that of [`Retry`]: between a half and the whole of the nominal delay.
    #[must_use]
    pub fn delay(&self, tries_used: u32, random: f64) -> Duration {
        Retry::new(1).base(self.base).cap(self.cap).delay(tries_used, random)
    }
}

/// The limits of a store. A write beyond them is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// The maximum number of entries that wait or run. Default 10,000.
    pub entries: u64,
    /// The maximum size of the arguments of one entry, in bytes of JSON. Default 256 KiB.
    pub arguments: usize,
    /// The maximum size of the store, in bytes, with the results and dead letters that it keeps. Default 64 MiB.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: 10_000, arguments: 256 * 1024, bytes: 64 * 1024 * 1024 }
    }
}
