//! What functions share by name: statistics of a tool, breakers, stores of last good answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use resilient_policy::BreakerUse;

use crate::breaker::{Breaker, BreakerSnapshot};
use crate::site::Site;
use crate::statistics::{ToolSnapshot, ToolStatistics};

/// What one function is bound to.
pub(crate) struct Binding {
    pub(crate) statistics: Arc<ToolStatistics>,
    pub(crate) breaker: Option<BoundBreaker>,
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

/// Everything that functions share in this process.
#[derive(Default)]
pub struct Registry(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    tools: HashMap<Arc<str>, Arc<ToolStatistics>>,
    breakers: HashMap<&'static str, Arc<Breaker>>,
}

impl Registry {
    /// The registry of this process.
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Registry> = OnceLock::new();
        GLOBAL.get_or_init(Self::default)
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

    /// Every breaker that a function has been bound to, by name.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerSnapshot> {
        let breakers: Vec<_> = self.lock().breakers.values().cloned().collect();
        let mut read: Vec<_> = breakers.iter().map(|breaker| breaker.snapshot()).collect();
        read.sort_by_key(|snapshot| snapshot.name);
        read
    }

    /// The breaker of that name, once a function has been bound to it.
    #[must_use]
    pub fn breaker(&self, name: &str) -> Option<Arc<Breaker>> {
        self.lock().breakers.get(name).cloned()
    }

    pub(crate) fn bind(&self, site: &'static Site) -> Binding {
        Binding {
            statistics: self.statistics(site.name()),
            breaker: match site.own_breaker() {
                Some(own) => Some(BoundBreaker::Static(own)),
                None => site.policy().breaker.map(|wanted| BoundBreaker::Named(self.bind_breaker(wanted, site))),
            },
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

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
