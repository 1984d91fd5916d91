//! Last good answers: kept when a call succeeds, served only by `fallback = cached`.
//!
//! An answer is found again by the arguments of its call and by whose data it is: without a known
//! principal nothing is kept or served, unless the policy says that answers are shared.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use moka::sync::Cache;
use resilient_policy::{CacheSettings, Scope, Source};
use tokio::time::Instant;

use crate::context::{CallContext, Principal, Request};
use crate::keyed_hash::{Collected, KeyedHash};
use crate::pipeline::{Chance, Sides, Step};
use crate::registry::Registry;
use crate::site::Site;

/// Moka keeps nothing for more than a thousand years, and says so with a panic.
const LONGEST_KEPT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The last good answers of one function.
pub(crate) struct Answers {
    kept: Cache<u128, Kept>,
    settings: CacheSettings,
}

#[derive(Clone)]
struct Kept {
    answer: Arc<dyn Any + Send + Sync>,
    at: Instant,
}

impl Answers {
    pub(crate) fn new(settings: CacheSettings) -> Self {
        // Moka's own expiry, by the wall clock, only frees memory; what may be served is decided
        // by age on the clock that the rest of the call uses.
        let kept =
            Cache::builder().max_capacity(settings.max.into()).time_to_live(settings.max_age.min(LONGEST_KEPT)).build();
        Self { kept, settings }
    }

    fn keep(&self, key: u128, answer: Arc<dyn Any + Send + Sync>) {
        self.kept.insert(key, Kept { answer, at: Instant::now() });
    }

    fn find(&self, key: u128) -> Option<(Arc<dyn Any + Send + Sync>, Duration)> {
        let kept = self.kept.get(&key)?;
        let age = kept.at.elapsed();
        (age <= self.settings.max_age).then_some((kept.answer, age))
    }
}

/// The key of an answer to these arguments for this principal. 128 bits of a hash that is keyed
/// anew in each process: nobody outside can make two keys meet.
#[derive(Debug, Clone, Copy)]
pub struct AnswerKey(u128);

impl AnswerKey {
    fn new(principal: Option<&Principal>, scope: Scope, arguments: &[u8]) -> Option<Self> {
        let mut hash = KeyedHash::new();
        match (scope, principal) {
            (Scope::Shared, _) => hash.part(b"shared"),
            (Scope::Caller, Some(principal)) => {
                hash.part(b"caller");
                hash.part(principal.as_str().as_bytes());
            }
            (Scope::Caller, None) => return None,
        }
        hash.part(arguments);
        Some(Self(hash.finish()))
    }

    /// The key of the request that is running: its raw arguments as canonical JSON.
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

    /// The key of a plain function's arguments. Without a request there is one caller: this process.
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
            // Nobody knows for whom this is done; in a process that serves several, nothing is kept.
            _ if Registry::here(|registry| registry.callers.are_several()) => None,
            _ => Some(&alone),
        };
        Self::new(principal, scope, &arguments)
    }
}

/// The request that the hook serves, if this is part of one.
fn hooked(context: Option<&CallContext>) -> Option<&Request> {
    context.and_then(CallContext::request).map(|request| &**request).filter(|request| request.is_hooked)
}

fn warn_unhooked(site: &Site) {
    site.warn_once(
        "this tool runs without the hook, so `fallback = cached` keeps nothing; add `#[resilient]` above \
         `#[tool_router]`, or wrap the router with `mcp::instrument`",
    );
}

/// `fallback = cached`.
#[derive(Debug)]
pub struct Cached<'a, C> {
    site: &'a Site,
    key: Option<AnswerKey>,
    clone: C,
}

impl<'a, C> Cached<'a, C> {
    /// Keeps and serves answers under this key; `clone` copies one.
    pub const fn new<R, G, E>(_: Sides<R, G, E>, site: &'a Site, key: Option<AnswerKey>, clone: C) -> Self
    where
        C: Fn(&G) -> G,
    {
        Self { site, key, clone }
    }

    fn with_answers<T>(&self, ask: impl FnOnce(&Answers, u128) -> T) -> Option<T> {
        let key = self.key?.0;
        self.site.bind().seldom.answers.as_ref().map(|answers| ask(answers, key))
    }
}

impl<G, E, C> Step<G, E> for Cached<'_, C>
where
    G: Send + Sync + 'static,
    C: Fn(&G) -> G,
{
    fn keep(&self, good: &G) {
        self.with_answers(|answers, key| answers.keep(key, Arc::new((self.clone)(good))));
    }

    fn forget(&self) {
        self.with_answers(|answers, key| answers.kept.invalidate(&key));
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
            Some((crate::pipeline::catch_panic(|| (self.clone)(good))?, age))
        });
        Poll::Ready(copied.map(|(good, age)| {
            chance.served = Some((Source::Cache, Some(age)));
            good
        }))
    }
}
