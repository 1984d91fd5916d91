//! `fallback = cached`: stores the answer when a call succeeds, and serves it when a later call fails.
//!
//! The key of a response is the arguments of its call and the principal. If the principal is unknown, nothing is
//! stored or served, unless the policy shares responses between principals.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use resilient_policy::{Scope, Source};

use super::fallback::{Chance, Sides, Step};
use crate::cache::Answers;
use crate::context::{CallContext, Request};
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
    fn new(principal: Option<&Principal>, scope: Scope, arguments: &[u8]) -> Option<Self> {
        let mut hash = KeyedHash::new();
        match (scope, principal) {
            (Scope::Shared, _) => hash.part(b"shared"),
            (_, Some(principal)) => {
                hash.part(b"caller");
                hash.part(principal.as_str().as_bytes());
            }
            (_, None) => return None,
        }
        hash.part(arguments);
        Some(Self(hash.finish()))
    }

    /// Returns the key of the running request, from its raw arguments as canonical JSON.
    #[must_use]
    pub fn of_request(site: &Site) -> Option<Self> {
        let scope = site.policy().cache?.scope;
        let context = CallContext::current();
        let Some(arguments) = hooked(context.as_ref()).and_then(|request| request.arguments.as_deref()) else {
            warn_unhooked(site);
            return None;
        };
        Self::new(context.as_ref().and_then(CallContext::principal), scope, arguments.as_bytes())
    }

    /// Returns the key of a plain function's arguments. Without a request, the process is the only principal.
    #[must_use]
    pub fn of_arguments(site: &Site, arguments: impl FnOnce(&mut Collected)) -> Option<Self> {
        let scope = site.policy().cache?.scope;
        let arguments = Collected::bytes(arguments)?;
        let context = CallContext::current();
        if site.tool().is_some() && hooked(context.as_ref()).is_none() {
            warn_unhooked(site);
            return None;
        }
        let alone = Principal::new("");
        let principal = match &context {
            Some(context) if context.request().is_some() => context.principal(),
            // The principal is unknown here. If the process serves several, nothing is stored.
            _ if Registry::here(|registry| registry.callers.are_several()) => None,
            _ => Some(&alone),
        };
        Self::new(principal, scope, &arguments)
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
pub struct Cached<'a, C> {
    site: &'a Site,
    key: Option<AnswerKey>,
    clone: C,
}

impl<'a, C> Cached<'a, C> {
    /// Stores and serves responses under this key; `clone` copies a response.
    pub const fn new<R, G, E>(_: Sides<R, G, E>, site: &'a Site, key: Option<AnswerKey>, clone: C) -> Self
    where
        C: Fn(&G) -> G,
    {
        Self { site, key, clone }
    }

    fn with_answers<T>(&self, use_answers: impl FnOnce(&Answers, u128) -> T) -> Option<T> {
        let key = self.key?.0;
        self.site.bind().cold.answers.as_ref().map(|answers| use_answers(answers, key))
    }
}

impl<G, E, C> Step<G, E> for Cached<'_, C>
where
    G: Send + Sync + 'static,
    C: Fn(&G) -> G,
{
    fn keep(&self, good: &G) {
        self.with_answers(|answers, key| answers.insert(key, Arc::new((self.clone)(good))));
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
        let found = self.with_answers(Answers::find).flatten();
        let copied = found.and_then(|(answer, age)| {
            let good = answer.downcast_ref::<G>()?;
            Some((catch_panic(|| (self.clone)(good))?, age))
        });
        Poll::Ready(copied.map(|(good, age)| {
            chance.served = Some((Source::Cache, Some(age)));
            good
        }))
    }
}
