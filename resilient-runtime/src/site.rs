//! One guarded function: its name, source location and policy, and the state that it is bound to.

mod entry;

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock, RwLock, Weak};

use resilient_policy::{Effect, Policy};

use crate::binding::Binding;
use crate::breaker::Breaker;
use crate::gate::Gated;
#[cfg(feature = "deferred")]
pub(crate) use entry::DeferredBy;
pub use entry::Entry;
pub(crate) use entry::EntryDetails;

/// The record of a guarded function. For an annotated function, it is a `static`.
///
/// The field order puts what every call reads in the first cache line.
#[repr(C, align(64))]
pub struct Site {
    pub(crate) bound: OnceLock<Binding>,
    name: &'static str,
    location: Location,
    policy: Policy,
    tool: Option<&'static str>,
    /// The profiles that the function uses, the one with the highest precedence first.
    pub(crate) profiles: &'static [&'static str],
    /// The `static` breaker that guards the function, if any.
    pub(crate) breaker: Option<&'static Breaker>,
    /// The current bindings in other registries, and the one in the registry of the process once its settings have
    /// changed, which has no scope.
    pub(crate) others: RwLock<Vec<OtherBinding>>,
    warned: AtomicBool,
    /// Whether it was logged that the function ran without the hook that authorizes it.
    #[cfg(feature = "rmcp")]
    reported_unauthorized: AtomicBool,
    /// What is known of the routes that it serves: [`READS`], [`WRITES`], [`CLAIMS`].
    routes: AtomicU8,
    /// Whether the policy was not checked by a macro.
    pub(crate) is_unchecked: bool,
    enforced: Enforced,
    /// The features that the tool belongs to. Each of them can be switched off.
    features: &'static [&'static str],
    /// The tools whose cached answers a call of the function makes outdated.
    invalidated: &'static [&'static str],
    /// Whether the tool may use the reserve of the limit on calls in flight.
    is_critical: bool,
    /// Whether the function is a method of a handler, which serves requests.
    is_method: bool,
    /// Whether the function calls a tool of another server.
    is_remote: bool,
}

/// A route of the function is known to read only.
const READS: u8 = 1;
/// A route of the function is not known to read only.
const WRITES: u8 = 2;
/// The function has claimed a request of the hook.
const CLAIMS: u8 = 4;

/// A binding in a registry, if it is not the one of the process.
type OtherBinding = (Option<Weak<Scope>>, Arc<Binding>);

/// A registry that is not the one of the process. It is compared by its address alone.
type Scope = dyn Any + Send + Sync;

/// The part of the crate that enforces a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enforced {
    ByFunction,
    ByHook,
    Nowhere,
}

/// The source location of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    /// The module.
    pub module: &'static str,
    /// The file.
    pub file: &'static str,
    /// The line.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Site {
    /// Creates the record of a function.
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
            others: RwLock::new(Vec::new()),
            warned: AtomicBool::new(false),
            #[cfg(feature = "rmcp")]
            reported_unauthorized: AtomicBool::new(false),
            routes: AtomicU8::new(0),
            is_unchecked: false,
            enforced: Enforced::ByFunction,
            features: &[],
            invalidated: &[],
            is_critical: false,
            is_method: false,
            is_remote: false,
        }
    }

    /// Makes the tool a part of these features.
    #[must_use]
    pub const fn of_features(mut self, features: &'static [&'static str]) -> Self {
        self.features = features;
        self
    }

    /// Makes each call of the function invalidate the cached answers of these tools. The names are those of rmcp's
    /// router.
    #[must_use]
    pub const fn invalidates(mut self, tools: &'static [&'static str]) -> Self {
        self.invalidated = tools;
        self
    }

    /// Marks the tool as critical: it may use the reserve of the limit on calls in flight, and the server is unhealthy
    /// while the tool is.
    #[must_use]
    pub const fn critical(mut self) -> Self {
        self.is_critical = true;
        self
    }

    /// Marks the function as a method of a handler, which serves requests.
    #[must_use]
    pub const fn of_handler(mut self) -> Self {
        self.is_method = true;
        self
    }

    /// Makes the hook enforce the timeout, because the return type of the tool cannot carry an error.
    #[must_use]
    pub const fn limited_by_hook(mut self) -> Self {
        self.enforced = Enforced::ByHook;
        self
    }

    /// Disables the timeout of the tool.
    #[must_use]
    pub const fn not_limited(mut self) -> Self {
        self.enforced = Enforced::Nowhere;
        self
    }

    /// Marks the function as a tool with this name in rmcp's router.
    #[must_use]
    pub const fn of_tool(mut self, tool: &'static str) -> Self {
        self.tool = Some(tool);
        self
    }

    /// Marks the function as one that calls a tool of another server, which has the name of the function. No request of
    /// this server is for it.
    pub(crate) const fn calls_remote_tool(&mut self) {
        self.tool = Some(self.name);
        self.is_remote = true;
    }

    /// Sets the profiles that the function uses, the one with the highest precedence first.
    #[must_use]
    pub const fn of_profiles(mut self, profiles: &'static [&'static str]) -> Self {
        self.profiles = profiles;
        self
    }

    /// Guards the function with a `static` breaker.
    #[must_use]
    pub const fn guarded_by(mut self, breaker: &'static Breaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Marks the policy as not checked by a macro.
    pub(crate) const fn unchecked(mut self) -> Self {
        self.is_unchecked = true;
        self
    }

    /// Returns the same record without its bindings.
    pub(crate) const fn unbound(&self) -> Self {
        Self {
            bound: OnceLock::new(),
            others: RwLock::new(Vec::new()),
            warned: AtomicBool::new(false),
            #[cfg(feature = "rmcp")]
            reported_unauthorized: AtomicBool::new(false),
            routes: AtomicU8::new(0),
            ..*self
        }
    }

    /// Returns the name of the tool, or of the function.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the source location of the function.
    #[must_use]
    pub const fn location(&self) -> Location {
        self.location
    }

    /// Returns what distinguishes this function from all others of the process.
    #[cfg(feature = "deferred")]
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Returns the policy as declared in the code. The effective policy is in the [`Binding`].
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Creates an entry for a call of the function.
    #[must_use]
    pub const fn entry(&self) -> Entry<'_> {
        Entry { site: self, details: None }
    }

    /// Returns the tools whose cached answers each call of the function invalidates.
    #[must_use]
    pub const fn invalidated(&self) -> &'static [&'static str] {
        self.invalidated
    }

    /// Returns whether the function is a method of a handler.
    pub(crate) const fn is_method(&self) -> bool {
        self.is_method
    }

    /// Returns whether the function calls a tool of another server. It counts each of its calls, and asks the gate
    /// about it.
    pub(crate) const fn is_remote(&self) -> bool {
        self.is_remote
    }

    /// Returns the features that the tool belongs to.
    pub(crate) const fn features(&self) -> &'static [&'static str] {
        self.features
    }

    /// Returns whether the tool is marked as critical.
    pub(crate) const fn is_critical(&self) -> bool {
        self.is_critical
    }

    /// Notes that a route with this effect is certain to be the function.
    #[cfg(feature = "rmcp")]
    pub(crate) fn serves_route(&self, effect: Effect) {
        let known = if effect == Effect::ReadOnly { READS } else { WRITES };
        self.routes.fetch_or(known, Ordering::Relaxed);
    }

    /// Notes that the function has claimed a request of the hook.
    #[cfg(feature = "rmcp")]
    pub(crate) fn claims_requests(&self) {
        self.routes.fetch_or(CLAIMS, Ordering::Relaxed);
    }

    /// Returns whether the function has claimed a request of the hook, in any session.
    #[cfg(feature = "rmcp")]
    pub(crate) fn has_claimed_requests(&self) -> bool {
        self.routes.load(Ordering::Relaxed) & CLAIMS != 0
    }

    /// Returns what the gate needs to know of a call of the tool that has begun.
    pub(crate) fn gated(&self) -> Gated<'_> {
        let routes = self.routes.load(Ordering::Relaxed);
        let is_known = routes & (READS | WRITES) != 0;
        let reads = self.policy.effect == Effect::ReadOnly;
        Gated {
            names: [self.tool.unwrap_or(self.name), self.name],
            features: self.features,
            writes: if is_known { routes & WRITES != 0 } else { !reads },
            reads: if is_known { routes & READS != 0 } else { reads },
            is_critical: self.is_critical,
        }
    }

    /// Returns whether the hook enforces the timeout.
    #[cfg(feature = "rmcp")]
    pub(crate) const fn is_limited_by_hook(&self) -> bool {
        matches!(self.enforced, Enforced::ByHook)
    }

    /// Returns whether a guarded function runs the tool.
    pub(crate) const fn is_guarded(&self) -> bool {
        matches!(self.enforced, Enforced::ByFunction)
    }

    /// Returns whether the policy is enforced at all.
    #[cfg(feature = "rmcp")]
    pub(crate) const fn has_policy(&self) -> bool {
        !matches!(self.enforced, Enforced::Nowhere)
    }

    /// Returns the name in rmcp's router, if the function is a tool.
    pub(crate) const fn tool(&self) -> Option<&'static str> {
        self.tool
    }

    /// Logs that the function was called without the hook, which has to authorize its calls. Only once.
    #[cfg(feature = "rmcp")]
    pub(crate) fn report_unauthorized(&self) {
        if !self.reported_unauthorized.swap(true, Ordering::Relaxed) {
            tracing::error!(
                event = "authorization.missing",
                tool = self.name,
                location = %self.location,
                "this tool has `authorize` and was called without the hook, so that it answers with an error; call it \
                 through the router of its block, or within a call that is authorized"
            );
        }
    }

    /// Logs a warning about the function, but only once.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_call_reads_of_a_function_is_one_cache_line() {
        assert!(size_of::<OnceLock<Binding>>() <= 64 && std::mem::offset_of!(Site, bound) == 0);
    }
}
