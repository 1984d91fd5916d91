//! What functions share by name: statistics of a tool, breakers, stores of last good answers.

mod bind;
mod callers;
mod declared;
#[cfg(feature = "testing")]
mod injection;
mod instrumented;
mod policies;
mod scope;
mod settings;
mod trouble;

#[cfg(feature = "config")]
use std::collections::BTreeSet;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub(crate) use declared::rules;
#[cfg(feature = "testing")]
pub(crate) use injection::{Inject, Make, Met, What};
pub use instrumented::Instrumented;
pub use policies::PolicyDescriptor;
pub use scope::ScopedRegistry;

use callers::Callers;
use declared::Settings;
use policies::Described;
use trouble::Trouble;

use crate::breaker::{Breaker, BreakerHandle, BreakerSeries, BreakerSnapshot, BreakerState, KeyedBreakers};
use crate::bulkhead::Bulkheads;
use crate::outcomes::CheckStatus;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimits;
#[cfg(feature = "config")]
use crate::settings::Overrides;
use crate::site::Location;
use crate::statistics::{
    ErrorGroup, Histogram, HistogramSnapshot, RecentError, RecentErrors, ToolSnapshot, ToolStatistics,
};

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
pub struct Registry {
    inner: Mutex<Inner>,
    recent: Arc<RecentErrors>,
    pub(crate) callers: Callers,
    #[cfg(feature = "testing")]
    pub(crate) chaos: injection::Injector,
    /// Calls of tools that are not there.
    unknown_tools: Histogram,
    /// What was set at start.
    #[cfg(feature = "config")]
    overrides: OnceLock<Overrides>,
}

#[derive(Default)]
struct Inner {
    policies: HashMap<(&'static str, Location), Described>,
    /// The settings that the code gives to what is shared by name, and where.
    declared: HashMap<(&'static str, &'static str), (Settings, Location)>,
    trouble: Trouble,
    /// The first function that was bound.
    first_bound: Option<&'static str>,
    health: BTreeMap<String, CheckStatus>,
    /// The breakers that functions name, there or not.
    #[cfg(feature = "config")]
    named_breakers: BTreeSet<&'static str>,
    tools: HashMap<Arc<str>, Arc<ToolStatistics>>,
    functions: HashMap<Arc<str>, Arc<ToolStatistics>>,
    breakers: HashMap<&'static str, Arc<Breaker>>,
    statics: Vec<&'static Breaker>,
    keyed_breakers: HashMap<&'static str, Arc<KeyedBreakers>>,
    bulkheads: HashMap<&'static str, Arc<Bulkheads>>,
    #[cfg(feature = "rate-limit")]
    rate_limits: HashMap<&'static str, Arc<RateLimits>>,
}

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

    /// How long calls took of tools that are not there or are disabled. Handlers see them that carry
    /// `#[resilient]` and have no `call_tool` of their own, and those that `#[resilient]` has made for
    /// `#[tool_router(server_handler)]`.
    #[must_use]
    pub fn unknown_tools(&self) -> HistogramSnapshot {
        self.unknown_tools.read()
    }

    #[cfg(feature = "rmcp")]
    pub(crate) fn unknown_tool(&self, took: std::time::Duration) {
        self.unknown_tools.record(took);
    }

    /// The last errors of tools, newest first: at most 100 of one tool and 1,000 in all. Rejections by
    /// breakers and limits are not kept, which would soon be all there is.
    #[must_use]
    pub fn recent_errors(&self) -> Vec<RecentError> {
        self.recent.read()
    }

    /// All errors of tools that there have been, by tool and code; those with the latest one first.
    #[must_use]
    pub fn error_groups(&self) -> Vec<ErrorGroup> {
        ErrorGroup::of(&self.tools())
    }

    /// What the last health reports said of each check.
    #[must_use]
    pub fn health_statuses(&self) -> BTreeMap<String, CheckStatus> {
        self.lock().health.clone()
    }

    pub(crate) fn note_health(&self, checks: impl Iterator<Item = (String, CheckStatus)>) {
        self.lock().health.extend(checks);
    }

    pub(crate) fn recent(&self) -> Arc<RecentErrors> {
        Arc::clone(&self.recent)
    }

    /// Every breaker that a function has been bound to, by name; of those with a key, the ones
    /// that are not closed.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerSnapshot> {
        self.read_breakers(|state| state != BreakerState::Closed)
    }

    /// The same; of those with a key, the ones that stand there. That of no key comes first.
    pub(crate) fn read_breakers(&self, key_stands_there: impl Fn(BreakerState) -> bool) -> Vec<BreakerSnapshot> {
        let inner = self.lock();
        let breakers: Vec<_> = inner.breakers.values().cloned().collect();
        let statics = inner.statics.clone();
        let keyed: Vec<_> = inner.keyed_breakers.values().cloned().collect();
        drop(inner);
        let mut read: Vec<_> = breakers.iter().map(|breaker| breaker.snapshot()).collect();
        read.extend(statics.iter().map(|breaker| breaker.snapshot()));
        read.extend(keyed.iter().flat_map(|keyed| keyed.read(&key_stands_there)));
        read.sort_by_key(|snapshot| snapshot.name);
        read
    }

    /// What every breaker has counted that a function has been bound to, by name: those of all keys
    /// are one.
    #[must_use]
    pub fn breaker_series(&self) -> BTreeMap<&'static str, BreakerSeries> {
        let inner = self.lock();
        let named: Vec<_> = inner.breakers.values().cloned().collect();
        let statics = inner.statics.clone();
        let keyed: Vec<_> = inner.keyed_breakers.iter().map(|(name, keyed)| (*name, Arc::clone(keyed))).collect();
        drop(inner);
        let mut series: BTreeMap<_, _> = named.iter().map(|breaker| (breaker.name(), breaker.series())).collect();
        for breaker in statics {
            series.entry(breaker.name()).and_modify(|known| known.and(breaker)).or_insert_with(|| breaker.series());
        }
        for (name, keyed) in keyed {
            if let Some(known) = series.get_mut(name) {
                keyed.add_to(known);
            }
        }
        series
    }

    /// The breaker of that name, once a function has been bound to it. Where it has a key this is the
    /// one that calls without a key ask; isolated by hand it rejects those of every key.
    #[must_use]
    pub fn breaker(&self, name: &str) -> Option<BreakerHandle> {
        let inner = self.lock();
        let named = inner.breakers.get(name).cloned().map(BreakerHandle::named);
        let a_static = || inner.statics.iter().find(|breaker| breaker.name() == name).copied();
        named.or_else(|| a_static().map(BreakerHandle::of_static))
    }

    /// The statistics of the tool of that name: they exist from the first question on.
    pub(crate) fn statistics(&self, name: &str) -> Arc<ToolStatistics> {
        entry(&mut self.lock().tools, name)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
