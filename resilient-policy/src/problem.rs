//! A mistake in a policy: the setting, what is wrong, and how to correct it.

use std::fmt;

/// One mistake in a policy.
///
/// `path` names the setting (`retry.base`, `breaker.open`, `timeout`). The macro maps it to a token of the attribute,
/// the runtime to a location in a file or a variable.
///
/// ```
/// use resilient_runtime::policy::Problem;
///
/// let problem = Problem::new("retry.max", "at most 10 retries, found 11");
/// assert_eq!(problem.to_string(), "retry.max: at most 10 retries, found 11");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The path of the setting, keys joined by dots.
    pub path: &'static str,
    /// What is wrong and what was expected, in one lower-case sentence.
    pub message: String,
}

impl Problem {
    /// Creates a problem of the setting at `path`.
    pub fn new(path: &'static str, message: impl Into<String>) -> Self {
        Self { path, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for Problem {}
