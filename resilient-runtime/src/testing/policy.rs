//! The policy that holds.

use std::ops::Deref;

use resilient_policy::{Source, format_duration};

use super::duration;
use crate::registry::PolicyDescriptor;

/// The policy of one function, as it holds in the lab. See [`Lab::policy`](super::Lab::policy).
///
/// Whatever has no assertion here is in the [`PolicyDescriptor`] that this is at bottom.
///
/// ```
/// use resilient_runtime::{ResilienceError, resilient, testing};
///
/// #[resilient(timeout = "30s", retry = 3, breaker = "shop", read_only)]
/// async fn ask() -> Result<u32, ResilienceError> {
///     Ok(7)
/// }
///
/// # fn main() {
/// testing::run(async |lab| {
///     ask().await.unwrap(); // a function that is no tool is known once it was called
///
///     let policy = lab.policy("ask");
///     policy.assert_timeout("30s").assert_attempt_timeout("10s").assert_retries(3).assert_breaker("shop");
///     assert_eq!(policy.breaker.unwrap().failures, 5);
/// });
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ObservedPolicy(pub(super) PolicyDescriptor);

impl ObservedPolicy {
    /// The limit of the whole guarded part: queueing, attempts and the delays between them.
    ///
    /// # Panics
    /// Where it is another, and where this is no duration.
    #[track_caller]
    pub fn assert_timeout(&self, expected: &str) -> &Self {
        let found = self.0.policy.timeout;
        self.check(found == duration(expected), "a timeout of", expected, &format_duration(found))
    }

    /// The limit of one attempt, whether it was set or comes along with `retry`.
    ///
    /// # Panics
    /// Where it is another or none, and where this is no duration.
    #[track_caller]
    pub fn assert_attempt_timeout(&self, expected: &str) -> &Self {
        let found = self.0.policy.attempt_limit();
        let told = found.map_or("none".to_owned(), format_duration);
        self.check(found == Some(duration(expected)), "an attempt timeout of", expected, &told)
    }

    /// How many retries there can be after the first attempt.
    ///
    /// # Panics
    /// Where there can be more or fewer.
    #[track_caller]
    pub fn assert_retries(&self, expected: u32) -> &Self {
        let found = self.0.policy.retries();
        self.check(found == expected, "retries:", &expected.to_string(), &found.to_string())
    }

    /// The name of the breaker.
    ///
    /// # Panics
    /// Where it has another name, or there is none.
    #[track_caller]
    pub fn assert_breaker(&self, expected: &str) -> &Self {
        let found = self.0.breaker_name;
        let told = found.map_or("none".to_owned(), |name| format!("`{name}`"));
        self.check(found == Some(expected), "the breaker", &format!("`{expected}`"), &told)
    }

    /// What answers instead, in this order.
    ///
    /// # Panics
    /// Where something else does.
    #[track_caller]
    pub fn assert_fallback(&self, expected: &[Source]) -> &Self {
        let found = self.0.policy.fallback;
        self.check(found == expected, "the fallback", &in_order(expected), &in_order(found))
    }

    #[track_caller]
    fn check(&self, is_right: bool, what: &str, expected: &str, found: &str) -> &Self {
        let PolicyDescriptor { name, file, line, .. } = self.0;
        assert!(is_right, "expected of the policy of `{name}`: {what} {expected}\n   found: {found}, in {file}:{line}");
        self
    }
}

fn in_order(sources: &[Source]) -> String {
    let words: Vec<_> = sources.iter().map(|source| source.as_str()).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

impl Deref for ObservedPolicy {
    type Target = PolicyDescriptor;

    fn deref(&self) -> &PolicyDescriptor {
        &self.0
    }
}
