//! Descriptions of the policies of guarded functions.

use std::sync::Arc;
use std::time::Duration;

use resilient_policy::{BreakerSettings, Policy, latest_answer};

use super::Registry;
use crate::binding::OwnLimits;
use crate::breaker::BreakerHandle;
use crate::site::{Location, Site};

/// The effective policy of one guarded function.
///
/// ```
/// # #[cfg(feature = "rmcp")] mod example {
/// use resilient_runtime::{Registry, ResilienceError, resilient};
/// use rmcp::{tool, tool_router};
///
/// pub struct Shop;
///
/// #[resilient(timeout = "10s", breaker = "shop")]
/// #[tool_router]
/// impl Shop {
///     /// Count the orders.
///     #[resilient(retry = 2)]
///     #[tool(annotations(read_only_hint = true))]
///     async fn count(&self) -> Result<String, ResilienceError> {
///         Ok("7".into())
///     }
/// }
///
/// # pub fn main() {
/// let _ = Shop::tool_router();
/// let policies = Registry::global().policies();
/// let count = policies.iter().find(|policy| policy.tool == Some("count")).unwrap();
/// assert_eq!(count.policy.retries(), 2);
/// assert_eq!(count.breaker.unwrap().failures, 5);
/// assert_eq!(count.latest_answer().unwrap().as_secs(), 10);
/// # } }
/// # #[cfg(feature = "rmcp")] example::main();
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PolicyDescriptor {
    /// The name under which the function is counted.
    pub name: &'static str,
    /// The name under which the function is served, if it is a tool.
    pub tool: Option<&'static str>,
    /// The source file of the function.
    pub file: &'static str,
    /// The line in that file.
    pub line: u32,
    /// The effective policy.
    pub policy: Policy,
    /// The effective settings of the breaker.
    pub breaker: Option<BreakerSettings>,
    /// The name of the breaker, either one of the registry or a `static` in your code.
    pub breaker_name: Option<&'static str>,
}

impl PolicyDescriptor {
    /// Returns the time within which every call gets a response: the timeout plus the limit of a fallback function.
    /// Returns `None` if the guards are disabled.
    #[must_use]
    pub fn latest_answer(&self) -> Option<Duration> {
        (self.policy.timeout <= Policy::LONGEST_TIMEOUT).then(|| latest_answer(&self.policy))
    }
}

/// A function that was bound.
#[derive(Clone)]
pub(super) struct Described {
    /// Its record, without bindings.
    pub(super) site: Arc<Site>,
    pub(super) policy: Policy,
    pub(super) breaker: Option<BreakerHandle>,
    pub(super) own: OwnLimits,
}

impl Described {
    fn read(&self) -> PolicyDescriptor {
        let Self { ref site, policy, ref breaker, .. } = *self;
        let (name, tool, Location { file, line, .. }) = (site.name(), site.tool(), site.location());
        let breaker_name = breaker.as_ref().map(|breaker| breaker.name());
        let breaker = breaker.as_ref().map(|breaker| breaker.settings());
        PolicyDescriptor { name, tool, file, line, policy, breaker, breaker_name }
    }
}

impl Registry {
    /// Returns the effective policy of every known guarded function. Tools are known once their router is built, other
    /// functions after their first call.
    #[must_use]
    pub fn policies(&self) -> Vec<PolicyDescriptor> {
        let mut read: Vec<_> = self.lock().policies.values().map(Described::read).collect();
        read.sort_by_key(|policy| (policy.name, policy.file, policy.line));
        read
    }

    pub(super) fn describe(&self, site: &Site, policy: &Policy, breaker: Option<BreakerHandle>, own: OwnLimits) {
        let described = Described { site: Arc::new(site.unbound()), policy: *policy, breaker, own };
        // A guard that is created again replaces its previous description.
        self.lock().policies.insert((site.name(), site.location()), described);
    }

    /// Returns the known functions, sorted by name.
    #[cfg(feature = "config")]
    pub(super) fn described(&self) -> Vec<Described> {
        let mut all: Vec<_> = self.lock().policies.values().cloned().collect();
        all.sort_by_key(|function| {
            let Location { file, line, .. } = function.site.location();
            (function.site.name(), file, line)
        });
        all
    }
}
