//! `fallback = cached`: stores the answer when a call succeeds, and serves it when a later call fails.
//!
//! The key of a response is the arguments of its call and the principal. If the principal is unknown, nothing is
//! stored or served, unless the policy shares responses between principals.

use std::mem::forget;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use resilient_policy::{Scope, Source};

use super::fallback::{Chance, Sides, Step};
use crate::cache::{Answers, NewAnswer, size_of_warnings};
use crate::context::{self, CallContext, Report, Request};
use crate::identity::Principal;
use crate::keyed_hash::{Collected, KeyedHash};
use crate::panics::catch_panic;
use crate::registry::Registry;
use crate::site::Site;

/// The cache key of a response, from the arguments and the principal. It is a 128-bit hash with a random key per
/// process, so that clients cannot construct collisions.
#[derive(Debug, Clone, Copy)]
pub struct AnswerKey(u128);

impl AnswerKey {
    /// Begins a key. Returns `None` if the answer depends on the principal, which is unknown.
    #[inline]
    fn begin(hash: &mut KeyedHash, principal: Option<&str>, scope: Scope) -> Option<()> {
        match (scope, principal) {
            (Scope::Shared, _) => hash.tag(0),
            (_, Some("")) => hash.tag(1),
            (_, Some(principal)) => {
                hash.tag(2);
                hash.part(principal.as_bytes());
            }
            (_, None) => return None,
        }
        Some(())
    }

    /// Returns the key of the running request, from its raw arguments as canonical JSON. A call by another function has
    /// other arguments, and no key. Neither has a request that answers what an earlier response asked for.
    #[must_use]
    pub fn of_request(site: &Site) -> Option<Self> {
        let scope = site.policy().cache?.scope;
        let context = CallContext::current();
        let Some(request) = hooked(context.as_ref()) else {
            warn_unhooked(site);
            return None;
        };
        let is_requested = site.tool() == Some(&*request.tool) && !request.report().is_claimed();
        let arguments = request.arguments.as_deref().filter(|_| is_requested && !request.is_follow_up())?;
        let mut hash = KeyedHash::new();
        Self::begin(&mut hash, context.as_ref().and_then(CallContext::principal).map(Principal::as_str), scope)?;
        hash.part(arguments.as_bytes());
        Some(Self(hash.finish()))
    }

    /// Returns the key of a plain function's arguments, or of the values that a tool names. Without a request, the process
    /// is the only principal.
    #[must_use]
    pub fn of_arguments(site: &Site, arguments: impl FnOnce(&mut Collected)) -> Option<Self> {
        let scope = site.policy().cache?.scope;
        let context = if context::is_inside_a_call() { CallContext::current() } else { None };
        if site.tool().is_some() {
            match hooked(context.as_ref()) {
                Some(request) if request.is_follow_up() => return None,
                Some(_) => {}
                None => {
                    warn_unhooked(site);
                    return None;
                }
            }
        }
        let principal = match &context {
            Some(context) if context.request().is_some() => context.principal().map(Principal::as_str),
            // The principal is unknown here. If the process serves several, nothing is stored.
            _ if Registry::here(|registry| registry.callers.are_several()) => None,
            _ => Some(""),
        };
        let key = Collected::hash_after(|hash| Self::begin(hash, principal, scope), arguments).map(Self);
        if context.is_none() {
            // Without the code that drops it.
            forget(context);
        }
        key
    }

    /// Returns the key of the request that a method of a handler serves, from its parameters as canonical JSON. Returns
    /// `None` if there are none.
    #[cfg(feature = "rmcp")]
    #[must_use]
    pub fn of_parameters(site: &Site, parameters: Option<String>) -> Option<Self> {
        let scope = site.policy().cache?.scope;
        let context = CallContext::current();
        let mut hash = KeyedHash::new();
        Self::begin(&mut hash, context.as_ref().and_then(CallContext::principal).map(Principal::as_str), scope)?;
        hash.part(parameters?.as_bytes());
        Some(Self(hash.finish()))
    }

    pub(super) const fn hash(self) -> u128 {
        self.0
    }

    pub(super) const fn of_hash(hash: u128) -> Self {
        Self(hash)
    }
}

/// Returns the request, if the hook serves it.
fn hooked(context: Option<&CallContext>) -> Option<&Request> {
    context.and_then(CallContext::request).map(|request| &**request).filter(|request| request.is_hooked)
}

fn warn_unhooked(site: &Site) {
    site.warn_once(
        "this tool runs without the hook, so `fallback = cached` keeps nothing; add `#[resilient]` above \
         `#[tool_router]`, or wrap the router with `mcp::instrument`",
    );
}

/// The fallback step of `fallback = cached`.
#[derive(Debug)]
pub struct Cached<'a, G> {
    site: &'a Site,
    key: Option<AnswerKey>,
    copy: fn(&G) -> G,
    /// The size of an answer. `None` if the call itself stores its answer.
    measure: Option<fn(&G) -> u64>,
    /// The number of warnings in the report before the call.
    warnings_before: usize,
}

/// Looks at the report of the request that the function serves. The report of a request for another tool has the warnings
/// of other functions.
fn within_report<T>(site: &Site, look: impl FnOnce(&Report) -> T) -> Option<T> {
    if !context::is_inside_a_call() {
        return None;
    }
    let context = CallContext::current()?;
    let request = context.request().filter(|request| site.tool() == Some(&*request.tool))?;
    Some(look(&request.report()))
}

impl<'a, G> Cached<'a, G> {
    /// Stores and serves answers under this key; `copy` copies an answer, and `size` returns its size.
    pub fn new<R, E>(
        _: Sides<R, G, E>,
        site: &'a Site,
        key: Option<AnswerKey>,
        measure: fn(&G) -> u64,
        copy: fn(&G) -> G,
    ) -> Self {
        let warnings_before = within_report(site, |report| report.warnings.len()).unwrap_or_default();
        Self { site, key, copy, measure: Some(measure), warnings_before }
    }

    /// Serves answers under this key. The call itself stores them.
    pub const fn stored<R, E>(_: Sides<R, G, E>, site: &'a Site, key: Option<AnswerKey>, copy: fn(&G) -> G) -> Self {
        Self { site, key, copy, measure: None, warnings_before: 0 }
    }

    fn with_answers<T>(&self, use_answers: impl FnOnce(&Answers, u128) -> T) -> Option<T> {
        let key = self.key?.0;
        self.site.bind().cold.answers.as_ref().map(|answers| use_answers(answers, key))
    }
}

impl<G, E> Step<G, E> for Cached<'_, G>
where
    G: Send + Sync + 'static,
{
    fn keep(&self, good: &G) {
        let Some(measure) = self.measure else { return };
        self.with_answers(|answers, key| {
            let warnings =
                within_report(self.site, |report| report.warnings_after(self.warnings_before)).unwrap_or_default();
            let bytes = measure(good).saturating_add(size_of_warnings(&warnings));
            if !answers.fits(bytes) {
                return answers.remove(key);
            }
            // No write invalidates the answers of a function without `fresh`.
            let generation = answers.generation();
            answers.insert(key, NewAnswer { answer: Arc::new((self.copy)(good)), bytes, generation, warnings });
        });
    }

    fn forget(&self) {
        self.with_answers(Answers::remove);
    }

    fn poll_serve(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        chance: &mut Chance<E>,
        _: &mut Option<E>,
    ) -> Poll<Option<G>> {
        let found = self.with_answers(Answers::find_for_error).flatten();
        let copied = found.and_then(|kept| {
            let good = kept.answer()?.downcast_ref::<G>()?;
            Some((catch_panic(|| (self.copy)(good))?, kept))
        });
        Poll::Ready(copied.map(|(good, kept)| {
            chance.served = Some((Source::Cache, Some(kept.age)));
            chance.warn(kept.warnings());
            good
        }))
    }
}
