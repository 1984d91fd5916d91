//! A mistake in a policy: where it stands, what is wrong, how to mend it.

use std::fmt;

/// One mistake in a policy.
///
/// `path` names the setting (`retry.base`, `breaker.open`, `timeout`): the macro maps it to the
/// token that was written, the runtime to a place in a file or a variable.
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
    /// The setting that is wrong, keys joined by dots.
    pub path: &'static str,
    /// What is wrong and what was expected, in one lower-case sentence.
    pub message: String,
}

impl Problem {
    /// A problem of the setting at `path`.
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
