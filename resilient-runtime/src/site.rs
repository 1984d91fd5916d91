//! One guarded function: its name, its place in the code, its policy, and what it is bound to.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use resilient_policy::Policy;

use crate::binding::Binding;
use crate::breaker::Breaker;
use crate::context::CallContext;
use crate::keyed_hash::Collected;
use crate::shown::Shown;
use crate::telemetry;

/// The record that a guarded function owns; that of an annotated one sits in a `static`.
///
/// In this order: what every call reads is in its first cache line.
#[repr(C, align(64))]
pub struct Site {
    pub(crate) bound: OnceLock<Binding>,
    name: &'static str,
    location: Location,
    policy: Policy,
    tool: Option<&'static str>,
    /// The profiles of a file that it follows, the strongest first.
    pub(crate) profiles: &'static [&'static str],
    /// The breaker of the user's that guards it.
    pub(crate) breaker: Option<&'static Breaker>,
    /// What it is bound to in other registries, such as those of tests.
    pub(crate) elsewhere: Mutex<Vec<(Weak<Scope>, Arc<Binding>)>>,
    warned: AtomicBool,
    /// Whether no macro has checked its policy.
    pub(crate) is_unchecked: bool,
    enforced: Enforced,
}

/// A registry that is not the one of the process. It is compared by its address alone.
type Scope = dyn Any + Send + Sync;

/// Where a policy is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enforced {
    ByFunction,
    ByHook,
    Nowhere,
}

/// Where a function stands in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
        Self {
            name,
            location,
            policy,
            tool: None,
            profiles: &[],
            breaker: None,
            bound: OnceLock::new(),
            elsewhere: Mutex::new(Vec::new()),
            warned: AtomicBool::new(false),
            is_unchecked: false,
            enforced: Enforced::ByFunction,
        }
    }

    /// Says that the hook enforces the timeout, as the tool's return type cannot carry an error.
    #[must_use]
    pub const fn limited_by_hook(mut self) -> Self {
        self.enforced = Enforced::ByHook;
        self
    }

    /// Says that the tool has no limit at all.
    #[must_use]
    pub const fn not_limited(mut self) -> Self {
        self.enforced = Enforced::Nowhere;
        self
    }

    /// Says that it is a tool, and under which name rmcp's router knows it.
    #[must_use]
    pub const fn of_tool(mut self, tool: &'static str) -> Self {
        self.tool = Some(tool);
        self
    }

    /// Says which profiles of a file it follows, the strongest first.
    #[must_use]
    pub const fn of_profiles(mut self, profiles: &'static [&'static str]) -> Self {
        self.profiles = profiles;
        self
    }

    /// Guards the function with a breaker of the user's.
    #[must_use]
    pub const fn guarded_by(mut self, breaker: &'static Breaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Says that no macro has checked its policy.
    pub(crate) const fn unchecked(mut self) -> Self {
        self.is_unchecked = true;
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

    /// Its policy, as it was compiled in. What holds is in its [`Binding`].
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A call of the function, before anything is known about it.
    #[must_use]
    pub const fn entry(&self) -> Entry<'_> {
        Entry { site: self, details: None }
    }

    /// Whether the hook enforces the timeout.
    #[cfg(feature = "rmcp")]
    pub(crate) const fn is_limited_by_hook(&self) -> bool {
        matches!(self.enforced, Enforced::ByHook)
    }

    /// Whether a guarded function runs the tool.
    pub(crate) const fn is_guarded(&self) -> bool {
        matches!(self.enforced, Enforced::ByFunction)
    }

    /// Whether it has a policy that anything enforces.
    #[cfg(feature = "rmcp")]
    pub(crate) const fn has_policy(&self) -> bool {
        !matches!(self.enforced, Enforced::Nowhere)
    }

    /// The name under which rmcp's router knows it, if it is a tool.
    pub(crate) const fn tool(&self) -> Option<&'static str> {
        self.tool
    }

    /// Logs a warning about the function, the first time.
    pub(crate) fn warn_once(&self, message: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(event = "config.warning", tool = self.name, location = %self.location, "{message}");
        }
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

/// One call of a function, before it begins.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub(crate) site: &'a Site,
    /// Most calls have none. Two words in all: an entry stays in registers until the call is made of it.
    pub(crate) details: Option<Box<EntryDetails>>,
}

/// What a call was given beside its arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct EntryDetails {
    pub(crate) keys: Option<Keys>,
    /// The request that the function was given, where the hook gave it none.
    pub(crate) request: Option<CallContext>,
    /// What the log may show of the arguments.
    pub(crate) arguments: Option<Box<str>>,
}

/// By what the policies of one call are kept apart from those of other calls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Keys {
    pub(crate) breaker: Option<u128>,
    pub(crate) bulkhead: Option<u128>,
    pub(crate) rate_limit: Option<u128>,
}

impl Entry<'_> {
    /// Runs the call in the context of the request that it was given, where the hook gave it none.
    #[must_use]
    pub fn asked(mut self, request: Option<CallContext>) -> Self {
        if request.is_some() {
            self.details().request = request;
        }
        self
    }

    fn details(&mut self) -> &mut EntryDetails {
        self.details.get_or_insert_default()
    }

    fn keys(&mut self) -> &mut Keys {
        self.details().keys.get_or_insert_default()
    }

    /// Gives each of these values a breaker of its own. Where looking at them panics, the call has
    /// no key, as if the policy had none.
    #[must_use]
    pub fn breaker_key(mut self, values: impl FnOnce(&mut Collected)) -> Self {
        self.keys().breaker = Collected::hash(values);
        self
    }

    /// Gives each of these values a bulkhead of its own, as [`breaker_key`](Self::breaker_key)
    /// does for breakers.
    #[must_use]
    pub fn bulkhead_key(mut self, values: impl FnOnce(&mut Collected)) -> Self {
        self.keys().bulkhead = Collected::hash(values);
        self
    }

    /// Gives each of these values a rate limit of its own, as [`breaker_key`](Self::breaker_key)
    /// does for breakers.
    #[must_use]
    pub fn rate_limit_key(mut self, values: impl FnOnce(&mut Collected)) -> Self {
        self.keys().rate_limit = Collected::hash(values);
        self
    }

    /// Shows these arguments to the log, if there is one that listens. Where looking at them panics,
    /// it is shown none.
    #[must_use]
    pub fn log_args(mut self, arguments: impl FnOnce(&mut Shown)) -> Self {
        if telemetry::spans_are_enabled() {
            self.details().arguments = Shown::of(arguments);
        }
        self
    }

    /// Shows these arguments in the hook's span, for a tool that is not guarded by its function.
    pub fn show(self) {
        if let Some(arguments) = self.details.and_then(|details| details.arguments)
            && let Some(context) = CallContext::current()
            && let Some(request) = context.request()
            && let Some(span) = &*request.span()
        {
            span.record("arguments", &*arguments);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_call_reads_of_a_function_is_one_cache_line() {
        assert!(size_of::<OnceLock<Binding>>() <= 64 && std::mem::offset_of!(Site, bound) == 0);
    }
}
