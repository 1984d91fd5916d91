//! The report of all problems with settings.

use std::fmt;

use resilient_policy::FileProblem;

/// The error of a refused start: every problem with the settings, each with its place.
///
/// ```
/// use resilient_runtime::Resilience;
///
/// let wrong = [("RESILIENT__DEFAULT__TIMEOUT".into(), "5".into())];
/// let refused = Resilience::from_variables(wrong).start().unwrap_err();
/// assert_eq!(refused.problems().len(), 1);
/// assert!(refused.to_string().starts_with("1 problem in the settings:"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSettings(Vec<String>);

impl InvalidSettings {
    /// Creates the report, or returns `None` if there are no problems. A mistake that was found for several functions
    /// is listed once.
    pub(super) fn of(problems: Vec<FileProblem>, others: Vec<String>) -> Option<Self> {
        let mut reported: Vec<FileProblem> = Vec::new();
        for problem in problems {
            if !reported.iter().any(|known| known.place == problem.place && known.message == problem.message) {
                reported.push(problem);
            }
        }
        let mut lines: Vec<_> = reported.iter().map(ToString::to_string).collect();
        lines.extend(others);
        (!lines.is_empty()).then_some(Self(lines))
    }

    /// Returns the problems: for each, its place, what is wrong, and what was expected.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} {} in the settings:", if count == 1 { "problem" } else { "problems" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for InvalidSettings {}
