//! Switches that cannot be set.

use std::fmt;

/// Why a switch cannot be set.
///
/// ```
/// use resilient_runtime::Registry;
/// use resilient_runtime::gate::GateError;
///
/// let refused = Registry::new().gate().switch_tool("no_such_tool", false).unwrap_err();
/// assert!(matches!(refused, GateError::Unknown { .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateError {
    /// The settings turn it off, and nothing at run time lifts that.
    #[non_exhaustive]
    Forbidden {
        /// What is forbidden, as a sentence.
        message: String,
    },
    /// There is no tool or feature of that name.
    #[non_exhaustive]
    Unknown {
        /// The name that was given.
        name: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden { message } => f.write_str(message),
            Self::Unknown { name, suggestion: None } => write!(f, "there is no `{name}`"),
            Self::Unknown { name, suggestion: Some(meant) } => {
                write!(f, "there is no `{name}`; did you mean `{meant}`?")
            }
        }
    }
}

impl std::error::Error for GateError {}
