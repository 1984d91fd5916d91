//! What functions share by name: statistics of a tool, breakers, stores of last good answers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use resilient_policy::BreakerUse;

use crate::breaker::{Breaker, BreakerSnapshot, KeyedBreakers};
use crate::site::Site;
use crate::statistics::{ToolSnapshot, ToolStatistics};

/// What one function is bound to.
pub(crate) struct Binding {
    pub(crate) statistics: Arc<ToolStatistics>,
    pub(crate) breaker: Option<BoundBreaker>,
    pub(crate) keyed_breakers: Option<Arc<KeyedBreakers>>,
    #[cfg(feature = "cache")]
    pub(crate) answers: Option<crate::cache::Answers>,
}

/// A breaker that a function uses: one of the registry's, or a `static` of the user's.
pub(crate) enum BoundBreaker {
    Named(Arc<Breaker>),
    Static(&'static Breaker),
}

impl std::ops::Deref for BoundBreaker {
    type Target = Breaker;

    fn deref(&self) -> &Breaker {
        match self {
            Self::Named(breaker) => breaker,
            Self::Static(breaker) => breaker,
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
/// #[resilient(breaker = "shop")]
/// async fn ask() -> Result<u32, ResilienceError> {
///     Ok(1)
/// }
///
/// let registry = Arc::new(Registry::new());
/// registry.clone().scope(async { ask().await }).await.unwrap();
/// assert_eq!(registry.tool("ask").unwrap().calls(), 1);
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
    breakers: HashMap<&'static str, Arc<Breaker>>,
    keyed_breakers: HashMap<&'static str, Arc<KeyedBreakers>>,
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
        let tools: Vec<_> = self.lock().tools.iter().map(|(name, tool)| (name.clone(), tool.clone())).collect();
        let mut read: Vec<_> = tools.into_iter().map(|(name, tool)| (name, tool.read())).collect();
        read.sort_by(|a, b| a.0.cmp(&b.0));
        read
    }

    /// What one tool has counted.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<ToolSnapshot> {
        let tool = self.lock().tools.get(name).cloned();
        tool.map(|tool| tool.read())
    }

    /// Every breaker that a function has been bound to, by name; of those with a key, the ones
    /// that are not closed.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerSnapshot> {
        let inner = self.lock();
        let breakers: Vec<_> = inner.breakers.values().cloned().collect();
        let keyed: Vec<_> = inner.keyed_breakers.values().cloned().collect();
        drop(inner);
        let mut read: Vec<_> = breakers.iter().map(|breaker| breaker.snapshot()).collect();
        read.extend(keyed.iter().flat_map(|keyed| keyed.not_closed()));
        read.sort_by_key(|snapshot| snapshot.name);
        read
    }

    /// The breaker of that name, once a function has been bound to it.
    #[must_use]
    pub fn breaker(&self, name: &str) -> Option<Arc<Breaker>> {
        self.lock().breakers.get(name).cloned()
    }

    pub(crate) fn bind(&self, site: &Site) -> Binding {
        Binding {
            statistics: self.statistics(site.name()),
            breaker: match site.own_breaker() {
                Some(own) => Some(BoundBreaker::Static(own)),
                None => site.policy().breaker.map(|wanted| BoundBreaker::Named(self.bind_breaker(wanted, site))),
            },
            keyed_breakers: site.policy().breaker.map(|wanted| self.keyed_breakers(wanted)),
            #[cfg(feature = "cache")]
            answers: site.policy().cache.map(crate::cache::Answers::new),
        }
    }

    /// The statistics of the tool of that name: they exist from the first question on.
    pub(crate) fn statistics(&self, name: &str) -> Arc<ToolStatistics> {
        let mut inner = self.lock();
        if let Some(found) = inner.tools.get(name) {
            return found.clone();
        }
        let fresh = Arc::new(ToolStatistics::new());
        inner.tools.insert(name.into(), fresh.clone());
        fresh
    }

    fn bind_breaker(&self, wanted: BreakerUse, site: &Site) -> Arc<Breaker> {
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
        breaker
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

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
