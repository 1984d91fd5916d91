//! Assertions about an effective policy.

use std::ops::Deref;

use resilient_policy::{Source, format_duration};

use super::duration;
use crate::registry::PolicyDescriptor;

/// The effective policy of one function in the lab. See [`Lab::policy`](super::Lab::policy).
///
/// It dereferences to [`PolicyDescriptor`], which has everything that no assertion covers.
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
///     ask().await.unwrap(); // a function that is not a tool is known after its first call
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
    /// Asserts the timeout of the whole guarded part: queueing, attempts and the delays between them.
    ///
    /// # Panics
    /// If the timeout differs, or if `expected` is not a valid duration.
    #[track_caller]
    pub fn assert_timeout(&self, expected: &str) -> &Self {
        let found = self.0.policy.timeout;
        self.check(found == duration(expected), "a timeout of", expected, &format_duration(found))
    }

    /// Asserts the timeout of one attempt, whether it was set or follows from `retry`.
    ///
    /// # Panics
    /// If the timeout differs or there is none, or if `expected` is not a valid duration.
    #[track_caller]
    pub fn assert_attempt_timeout(&self, expected: &str) -> &Self {
        let found = self.0.policy.attempt_limit();
        let shown = found.map_or("none".to_owned(), format_duration);
        self.check(found == Some(duration(expected)), "an attempt timeout of", expected, &shown)
    }

    /// Asserts the maximum number of retries after the first attempt.
    ///
    /// # Panics
    /// If the number differs.
    #[track_caller]
    pub fn assert_retries(&self, expected: u32) -> &Self {
        let found = self.0.policy.retries();
        self.check(found == expected, "retries:", &expected.to_string(), &found.to_string())
    }

    /// Asserts the name of the breaker.
    ///
    /// # Panics
    /// If the name differs, or if there is no breaker.
    #[track_caller]
    pub fn assert_breaker(&self, expected: &str) -> &Self {
        let found = self.0.breaker_name;
        let shown = found.map_or("none".to_owned(), |name| format!("`{name}`"));
        self.check(found == Some(expected), "the breaker", &format!("`{expected}`"), &shown)
    }

    /// Asserts the fallback sources, in their order.
    ///
    /// # Panics
    /// If the sources differ.
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
