//! What functions share by name: statistics of a tool, breakers, stores of last good answers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use resilient_policy::{BreakerUse, BulkheadUse};

use crate::breaker::{Breaker, BreakerSnapshot, KeyedBreakers};
use crate::bulkhead::Bulkheads;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimits;
use crate::retry::Budget;
use crate::site::Site;
use crate::statistics::{ToolSnapshot, ToolStatistics};

/// What one function is bound to.
pub(crate) struct Binding {
    pub(crate) statistics: Arc<ToolStatistics>,
    pub(crate) breaker: Option<BreakerHandle>,
    pub(crate) keyed_breakers: Option<Arc<KeyedBreakers>>,
    /// Of a function that retries without a breaker; with one, its users share a budget.
    pub(crate) own_budget: Option<Box<Budget>>,
    pub(crate) bulkheads: Option<Arc<Bulkheads>>,
    #[cfg(feature = "rate-limit")]
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
    #[cfg(feature = "cache")]
    pub(crate) answers: Option<crate::cache::Answers>,
}

/// A breaker that a function uses: one of the registry's, or a `static` of the user's.
#[derive(Debug, Clone)]
pub struct BreakerHandle(Held);

#[derive(Debug, Clone)]
enum Held {
    Named(Arc<Breaker>),
    Static(&'static Breaker),
}

impl std::ops::Deref for BreakerHandle {
    type Target = Breaker;

    fn deref(&self) -> &Breaker {
        match &self.0 {
            Held::Named(breaker) => breaker,
            Held::Static(breaker) => breaker,
        }
    }
}

/// Everything that functions share: one registry for the process, and one of its own for each
/// test that wants to be alone.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use resilient_runtime::{Registry, ResilienceError, resilient};
///
/// #[resilient(breaker = "shop", name = "ask")]
/// async fn ask() -> Result<u32, ResilienceError> {
///     Ok(1)
/// }
///
/// let registry = Arc::new(Registry::new());
/// registry.clone().scope(async { ask().await }).await.unwrap();
/// assert_eq!(registry.function("ask").unwrap().calls(), 1);
/// assert!(Registry::global().breaker("shop").is_none());
/// # });
/// ```
///
/// A `static Breaker` belongs to the code, not to a registry: tests that use one share it.
#[derive(Default)]
pub struct Registry(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    tools: HashMap<Arc<str>, Arc<ToolStatistics>>,
    functions: HashMap<Arc<str>, Arc<ToolStatistics>>,
    breakers: HashMap<&'static str, Arc<Breaker>>,
    statics: Vec<&'static Breaker>,
    keyed_breakers: HashMap<&'static str, Arc<KeyedBreakers>>,
    bulkheads: HashMap<&'static str, Arc<Bulkheads>>,
    #[cfg(feature = "rate-limit")]
    rate_limits: HashMap<&'static str, Arc<RateLimits>>,
}

thread_local! {
    static SCOPED: RefCell<Option<Arc<Registry>>> = const { RefCell::new(None) };
}

/// Whether any registry was ever entered: a process without tests never looks further.
static ANY_SCOPED: AtomicBool = AtomicBool::new(false);

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The registry of this process.
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Registry> = OnceLock::new();
        GLOBAL.get_or_init(Self::default)
    }

    /// Runs a future whose guarded functions share what is in this registry and nothing else. A
    /// task that it spawns is outside, unless it is scoped as well or carries the call's context.
    pub fn scope<F: Future>(self: Arc<Self>, future: F) -> ScopedRegistry<F> {
        ANY_SCOPED.store(true, Ordering::Relaxed);
        ScopedRegistry { registry: Some(self), future }
    }

    /// The registry that the running future is scoped to, if it is.
    pub(crate) fn scoped() -> Option<Arc<Self>> {
        if !ANY_SCOPED.load(Ordering::Relaxed) {
            return None;
        }
        SCOPED.try_with(|scoped| scoped.borrow().clone()).ok().flatten()
    }

    /// What each tool has counted, by name.
    #[must_use]
    pub fn tools(&self) -> Vec<(Arc<str>, ToolSnapshot)> {
        let tools = self.lock().tools.clone();
        read_all(tools)
    }

    /// What each guarded function that is no tool has counted, by the path of its module and its
    /// name, or by the name that the policy gives it.
    #[must_use]
    pub fn functions(&self) -> Vec<(Arc<str>, ToolSnapshot)> {
        let functions = self.lock().functions.clone();
        read_all(functions)
    }

    /// What one tool has counted.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<ToolSnapshot> {
        let tool = self.lock().tools.get(name).cloned();
        tool.map(|tool| tool.read())
    }

    /// What one guarded function that is no tool has counted. See [`functions`](Self::functions).
    #[must_use]
    pub fn function(&self, name: &str) -> Option<ToolSnapshot> {
        let function = self.lock().functions.get(name).cloned();
        function.map(|function| function.read())
    }

    /// Every breaker that a function has been bound to, by name; of those with a key, the ones
    /// that are not closed.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerSnapshot> {
        let inner = self.lock();
        let breakers: Vec<_> = inner.breakers.values().cloned().collect();
        let statics = inner.statics.clone();
        let keyed: Vec<_> = inner.keyed_breakers.values().cloned().collect();
        drop(inner);
        let mut read: Vec<_> = breakers.iter().map(|breaker| breaker.snapshot()).collect();
        read.extend(statics.iter().map(|breaker| breaker.snapshot()));
        read.extend(keyed.iter().flat_map(|keyed| keyed.not_closed()));
        read.sort_by_key(|snapshot| snapshot.name);
        read
    }

    /// The breaker of that name, once a function has been bound to it. Where it has a key this is the
    /// one that calls without a key ask; isolated by hand it rejects those of every key.
    #[must_use]
    pub fn breaker(&self, name: &str) -> Option<BreakerHandle> {
        let inner = self.lock();
        let named = inner.breakers.get(name).cloned().map(Held::Named);
        let a_static = || inner.statics.iter().find(|breaker| breaker.name() == name).copied().map(Held::Static);
        named.or_else(a_static).map(BreakerHandle)
    }

    pub(crate) fn bind(&self, site: &Site) -> Binding {
        Binding {
            statistics: if site.tool().is_some() {
                self.statistics(site.name())
            } else {
                entry(&mut self.lock().functions, site.name())
            },
            breaker: match site.breaker {
                Some(own) => Some(self.bind_static(own)),
                None => site.policy().breaker.map(|wanted| self.bind_breaker(wanted, site)),
            },
            keyed_breakers: site.policy().breaker.map(|wanted| self.keyed_breakers(wanted)),
            own_budget: site.policy().retry.map(|_| Box::new(Budget::new())),
            bulkheads: site.policy().bulkhead.map(|wanted| self.bulkheads(wanted, site)),
            #[cfg(feature = "rate-limit")]
            rate_limits: site.policy().rate_limit.map(|wanted| self.rate_limits(wanted, site)),
            #[cfg(feature = "cache")]
            answers: site.policy().cache.map(crate::cache::Answers::new),
        }
    }

    /// The statistics of the tool of that name: they exist from the first question on.
    pub(crate) fn statistics(&self, name: &str) -> Arc<ToolStatistics> {
        entry(&mut self.lock().tools, name)
    }

    fn bind_static(&self, own: &'static Breaker) -> BreakerHandle {
        let mut inner = self.lock();
        if !inner.statics.iter().any(|known| std::ptr::eq(*known, own)) {
            inner.statics.push(own);
        }
        BreakerHandle(Held::Static(own))
    }

    fn bind_breaker(&self, wanted: BreakerUse, site: &Site) -> BreakerHandle {
        let breaker = self
            .lock()
            .breakers
            .entry(wanted.name)
            .or_insert_with(|| Arc::new(Breaker::undeclared(wanted.name)))
            .clone();
        if let Some(settings) = wanted.settings
            && let Err(holding) = breaker.declare(settings)
        {
            tracing::error!(
                event = "config.invalid",
                breaker = wanted.name,
                location = %site.location(),
                "two places give the breaker `{}` different settings: {holding:?} holds, {settings:?} is ignored",
                wanted.name,
            );
        }
        BreakerHandle(Held::Named(breaker))
    }

    fn keyed_breakers(&self, wanted: BreakerUse) -> Arc<KeyedBreakers> {
        let mut inner = self.lock();
        let fresh = || Arc::new(KeyedBreakers::new(wanted.name));
        let keyed = Arc::clone(inner.keyed_breakers.entry(wanted.name).or_insert_with(fresh));
        drop(inner);
        if let Some(settings) = wanted.settings {
            keyed.declare(settings);
        }
        keyed
    }

    /// The bulkheads of that name, or new ones for a function that has them to itself.
    fn bulkheads(&self, wanted: BulkheadUse, site: &Site) -> Arc<Bulkheads> {
        let fresh = || Arc::new(Bulkheads::new(wanted.settings));
        let Some(name) = wanted.name else { return fresh() };
        let found = Arc::clone(self.lock().bulkheads.entry(name).or_insert_with(fresh));
        differs("bulkhead", name, site, &found.settings(), &wanted.settings);
        found
    }

    /// The rate limits of that name, or new ones for a function that has them to itself.
    #[cfg(feature = "rate-limit")]
    fn rate_limits(&self, wanted: resilient_policy::RateLimitUse, site: &Site) -> Arc<RateLimits> {
        let fresh = || Arc::new(RateLimits::new(wanted.settings));
        let Some(name) = wanted.name else { return fresh() };
        let found = Arc::clone(self.lock().rate_limits.entry(name).or_insert_with(fresh));
        differs("rate limit", name, site, &found.settings(), &wanted.settings);
        found
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells where a limit is given settings that differ from those it has.
fn differs<S: PartialEq + std::fmt::Debug>(what: &str, name: &str, site: &Site, holding: &S, ignored: &S) {
    if holding != ignored {
        tracing::error!(
            event = "config.invalid",
            limit = name,
            location = %site.location(),
            "two places give the {what} `{name}` different settings: {holding:?} holds, {ignored:?} is ignored",
        );
    }
}

/// The statistics of that name: they exist from the first question on.
fn entry(of: &mut HashMap<Arc<str>, Arc<ToolStatistics>>, name: &str) -> Arc<ToolStatistics> {
    if let Some(found) = of.get(name) {
        return Arc::clone(found);
    }
    let fresh = Arc::new(ToolStatistics::new());
    of.insert(name.into(), Arc::clone(&fresh));
    fresh
}

fn read_all(of: HashMap<Arc<str>, Arc<ToolStatistics>>) -> Vec<(Arc<str>, ToolSnapshot)> {
    let mut read: Vec<_> = of.into_iter().map(|(name, counted)| (name, counted.read())).collect();
    read.sort_by(|a, b| a.0.cmp(&b.0));
    read
}

pin_project! {
    /// A future with a registry of its own. See [`Registry::scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ScopedRegistry<F> {
        registry: Option<Arc<Registry>>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for ScopedRegistry<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = enter(this.registry);
        this.future.poll(cx)
    }
}

/// Makes `slot` the registry of what runs now until the guard is dropped.
pub(crate) fn enter(slot: &mut Option<Arc<Registry>>) -> Entered<'_> {
    swap(slot);
    Entered(slot)
}

pub(crate) struct Entered<'a>(&'a mut Option<Arc<Registry>>);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap(slot: &mut Option<Arc<Registry>>) {
    // A thread that is being torn down runs no guarded functions.
    let _ = SCOPED.try_with(|scoped| std::mem::swap(&mut *scoped.borrow_mut(), slot));
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.lock();
        f.debug_struct("Registry")
            .field("tools", &inner.tools.keys())
            .field("breakers", &inner.breakers.values())
            .finish()
    }
}
