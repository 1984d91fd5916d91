//! One annotated function: its name, its place in the code, its policy, and what it is bound to.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use resilient_policy::Policy;

use crate::breaker::Breaker;
use crate::registry::{Binding, Registry};

/// The record that an annotated function owns, in a `static`.
pub struct Site {
    name: &'static str,
    location: Location,
    policy: Policy,
    breaker: Option<&'static Breaker>,
    bound: OnceLock<Binding>,
    warned: AtomicBool,
}

/// Where a function stands in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Its module.
    pub module: &'static str,
    /// Its file.
    pub file: &'static str,
    /// Its line.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Site {
    /// The record of a function.
    #[must_use]
    pub const fn new(name: &'static str, location: Location, policy: Policy) -> Self {
        Self { name, location, policy, breaker: None, bound: OnceLock::new(), warned: AtomicBool::new(false) }
    }

    /// Guards the function with a breaker of the user's.
    #[must_use]
    pub const fn guarded_by(mut self, breaker: &'static Breaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// The tool's name, or the function's.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Where the function stands in the code.
    #[must_use]
    pub const fn location(&self) -> Location {
        self.location
    }

    /// Its policy.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The breaker of the user's that guards it.
    pub(crate) const fn own_breaker(&self) -> Option<&'static Breaker> {
        self.breaker
    }

    /// Logs a warning about the function, the first time.
    pub(crate) fn warn_once(&self, message: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(event = "config.warning", tool = self.name, location = %self.location, "{message}");
        }
    }

    /// Its statistics, breaker and cache, looked up once.
    pub(crate) fn bind(&'static self) -> &'static Binding {
        self.bound.get_or_init(|| Registry::global().bind(self))
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("name", &self.name)
            .field("location", &format_args!("{}", self.location))
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
