//! The registry: what functions share by name, such as the statistics of a tool, breakers and limits.

mod bind;
mod callers;
mod connected;
mod declared;
mod diagnostics;
#[cfg(feature = "replicas")]
mod distributed;
mod errors;
#[cfg(feature = "testing")]
mod injection;
mod instrumented;
mod policies;
#[cfg(feature = "config")]
mod reload;
mod scope;
mod settings;

#[cfg(feature = "config")]
use std::collections::BTreeSet;
use std::collections::{BTreeMap, HashMap};
#[cfg(feature = "config")]
use std::sync::RwLock;
#[cfg(feature = "http")]
use std::sync::atomic::AtomicBool;
#[cfg(feature = "config")]
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub(crate) use declared::rules;
#[cfg(feature = "replicas")]
pub(crate) use distributed::unshared_parts;
#[cfg(feature = "testing")]
pub(crate) use injection::{ErrorFactory, FaultAction, Inject, Injection};
pub use instrumented::Instrumented;
pub use policies::PolicyDescriptor;
#[cfg(feature = "config")]
pub(crate) use reload::Changes;
pub use scope::ScopedRegistry;

use callers::Callers;
use declared::Settings;
use diagnostics::Diagnostics;
use policies::Described;

#[cfg(feature = "http")]
use crate::access_token::TokenSetting;
#[cfg(feature = "alerts")]
use crate::alerting::{Alert, AlertBoard};
use crate::breaker::{Breaker, BreakerHandle, BreakerSeries, BreakerSnapshot, BreakerState, KeyedBreakers};
use crate::bulkhead::Bulkheads;
#[cfg(feature = "cache")]
use crate::cache::Generation;
use crate::connections::Connections;
#[cfg(feature = "deferred")]
use crate::deferred::Deferral;
use crate::gate::Gate;
use crate::outcomes::CheckStatus;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimits;
#[cfg(feature = "replicas")]
use crate::replicas::Replicas;
#[cfg(feature = "config")]
use crate::settings::{EffectivePolicy, Overrides, Source};
use crate::site::Location;
#[cfg(feature = "http")]
use crate::statistics::AdminRefusals;
use crate::statistics::{Histogram, HistogramSnapshot, RecentErrors, ToolSnapshot, ToolStatistics};

/// The state that functions share. There is one registry per process, and tests can create separate ones.
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
/// A `static Breaker` belongs to the code and not to a registry: all tests that use it share it.
#[derive(Default)]
pub struct Registry {
    inner: Mutex<Inner>,
    recent: Arc<RecentErrors>,
    pub(crate) callers: Callers,
    pub(crate) gate: Gate,
    /// The connections to other servers.
    connections: Connections,
    /// The token that the settings at start give to the routes for operators.
    #[cfg(feature = "http")]
    pub(crate) admin_token: OnceLock<TokenSetting>,
    /// Whether a router for operators was built without a token, and so without the routes that change anything.
    #[cfg(feature = "http")]
    pub(crate) has_unchanging_admin: AtomicBool,
    #[cfg(feature = "http")]
    pub(crate) admin_refusals: AdminRefusals,
    #[cfg(feature = "testing")]
    pub(crate) chaos: injection::Injector,
    #[cfg(feature = "alerts")]
    alert_board: AlertBoard,
    /// Where its tools defer their writes to.
    #[cfg(feature = "deferred")]
    deferral: OnceLock<Arc<Deferral>>,
    /// What it shares with other replicas. Unset until [`start`](crate::Resilience::start).
    #[cfg(feature = "replicas")]
    pub(crate) replicas: Arc<OnceLock<Arc<Replicas>>>,
    #[cfg(feature = "replicas")]
    distributed: distributed::DistributedBreakers,
    /// Whether a start has found that there are other replicas and no shared state.
    #[cfg(feature = "replicas")]
    is_unshared: std::sync::atomic::AtomicBool,
    /// Durations of calls of tools that do not exist.
    unknown_tools: Histogram,
    /// The settings of the operator.
    #[cfg(feature = "config")]
    overrides: RwLock<Option<Arc<Overrides>>>,
    /// The settings of the gate, as they were combined last.
    #[cfg(feature = "config")]
    gate_settings: Mutex<settings::Combined>,
    /// Where they came from, to read them again. Unset until they were accepted.
    #[cfg(feature = "config")]
    source: OnceLock<Arc<Source>>,
    /// Locked while a function is bound, and while the settings change.
    #[cfg(feature = "config")]
    changing: Mutex<()>,
    /// How often the settings have changed.
    #[cfg(feature = "config")]
    generation: AtomicU64,
}

#[derive(Default)]
struct Inner {
    policies: HashMap<(&'static str, Location), Described>,
    /// The settings that the code declares for shared names, and where.
    declared: HashMap<(&'static str, &'static str), (Settings, Location)>,
    diagnostics: Diagnostics,
    /// The first function that was bound.
    first_bound: Option<&'static str>,
    health: BTreeMap<String, CheckStatus>,
    /// The names of the breakers that functions refer to, whether or not they have been created.
    #[cfg(feature = "config")]
    named_breakers: BTreeSet<&'static str>,
    tools: HashMap<Arc<str>, Arc<ToolStatistics>>,
    functions: HashMap<Arc<str>, Arc<ToolStatistics>>,
    /// The requests and notifications that handlers have served, by MCP method.
    requests: BTreeMap<&'static str, Arc<ToolStatistics>>,
    breakers: HashMap<&'static str, Arc<Breaker>>,
    statics: Vec<&'static Breaker>,
    keyed_breakers: HashMap<&'static str, Arc<KeyedBreakers>>,
    bulkheads: HashMap<&'static str, Arc<Bulkheads>>,
    #[cfg(feature = "rate-limit")]
    rate_limits: HashMap<&'static str, Arc<RateLimits>>,
    /// How often writes have invalidated the kept answers of a tool, by its name in rmcp's router.
    #[cfg(feature = "cache")]
    generations: HashMap<&'static str, Arc<Generation>>,
}

impl Registry {
    /// Creates an empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the registry of this process.
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Registry> = OnceLock::new();
        GLOBAL.get_or_init(Self::default)
    }

    /// Returns the statistics of each tool, sorted by name.
    #[must_use]
    pub fn tools(&self) -> Vec<(Arc<str>, ToolSnapshot)> {
        let tools = self.lock().tools.clone();
        read_all(tools)
    }

    /// Returns the statistics of each guarded function that is not a tool, sorted by name. The name is that of the
    /// policy, or else the path of the module and the name of the function.
    #[must_use]
    pub fn functions(&self) -> Vec<(Arc<str>, ToolSnapshot)> {
        let functions = self.lock().functions.clone();
        read_all(functions)
    }

    /// Returns the statistics of one tool, or `None` if the tool is unknown.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<ToolSnapshot> {
        let tool = self.lock().tools.get(name).cloned();
        tool.map(|tool| tool.read())
    }

    /// Returns the statistics of one guarded function that is not a tool. See [`functions`](Self::functions).
    #[must_use]
    pub fn function(&self, name: &str) -> Option<ToolSnapshot> {
        let function = self.lock().functions.get(name).cloned();
        function.map(|function| function.read())
    }

    /// Returns the statistics of the requests and notifications that handlers with `#[resilient]` have served, by MCP
    /// method. A tool call is counted here only if a `call_tool` written by hand serves it without the hook and without
    /// the guarded function of a tool.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<&'static str, ToolSnapshot> {
        let requests = self.lock().requests.clone();
        requests.into_iter().map(|(method, counted)| (method, counted.read())).collect()
    }

    /// Returns the statistics of an MCP method, which are created on first use.
    #[cfg(feature = "rmcp")]
    pub(crate) fn request_statistics(&self, method: &'static str) -> Arc<ToolStatistics> {
        Arc::clone(self.lock().requests.entry(method).or_insert_with(|| Arc::new(ToolStatistics::new())))
    }

    /// Returns the durations of calls of tools that do not exist or are disabled.
    ///
    /// These calls are only recorded by handlers with `#[resilient]` that do not implement `call_tool` themselves, and
    /// by the handlers that `#[resilient]` generates for `#[tool_router(server_handler)]`.
    #[must_use]
    pub fn unknown_tools(&self) -> HistogramSnapshot {
        self.unknown_tools.read()
    }

    #[cfg(feature = "rmcp")]
    pub(crate) fn unknown_tool(&self, took: std::time::Duration) {
        self.unknown_tools.record(took);
    }

    /// Returns the status of each check in the most recent health report.
    #[must_use]
    pub fn health_statuses(&self) -> BTreeMap<String, CheckStatus> {
        self.lock().health.clone()
    }

    /// Returns the switches of this registry: what an operator can change while the server runs.
    #[must_use]
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Returns the alerts that are pending or fire: first those that fire, the most urgent first. Empty unless
    /// [`Resilience::alerts`](crate::Resilience::alerts) evaluates them. There are at most 1,000.
    ///
    /// ```
    /// use resilient_runtime::Registry;
    ///
    /// assert!(Registry::new().alerts().is_empty());
    /// ```
    #[cfg(feature = "alerts")]
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.alert_board.active()
    }

    /// Returns the last 100 alerts that began to fire or were resolved, newest first. An alert that fired and was
    /// resolved is there twice.
    ///
    /// ```
    /// use resilient_runtime::Registry;
    ///
    /// assert!(Registry::new().alert_history().is_empty());
    /// ```
    #[cfg(feature = "alerts")]
    #[must_use]
    pub fn alert_history(&self) -> Vec<Alert> {
        self.alert_board.changes()
    }

    #[cfg(feature = "alerts")]
    pub(crate) const fn alert_board(&self) -> &AlertBoard {
        &self.alert_board
    }

    /// Returns where the tools of this registry defer their writes to, if there is a store.
    #[cfg(feature = "deferred")]
    pub(crate) fn deferral(&self) -> Option<Arc<Deferral>> {
        self.deferral.get().cloned()
    }

    /// Sets where the tools of this registry defer their writes to. Returns whether it was not set before.
    #[cfg(feature = "deferred")]
    pub(crate) fn set_deferral(&self, deferral: Arc<Deferral>) -> bool {
        self.deferral.set(deferral).is_ok()
    }

    pub(crate) fn note_health(&self, checks: impl Iterator<Item = (String, CheckStatus)>) {
        self.lock().health.extend(checks);
    }

    pub(crate) fn recent(&self) -> Arc<RecentErrors> {
        Arc::clone(&self.recent)
    }

    /// Returns a snapshot of every breaker that a function is bound to, sorted by name. For breakers with a partition
    /// key, the breakers of individual keys are only included if they are not closed.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerSnapshot> {
        self.read_breakers(|state| state != BreakerState::Closed)
    }

    /// Like [`breakers`](Self::breakers), with a filter for the breakers of individual keys. The breaker for calls
    /// without a key comes first.
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

    /// Returns the counters of every breaker that a function is bound to, by name. The breakers of all keys are
    /// added up.
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

    /// Returns the breaker of that name, or `None` if no function is bound to it.
    ///
    /// If the breaker has a partition key, this is the breaker for calls without a key. Isolating it rejects the calls
    /// of every key.
    #[must_use]
    pub fn breaker(&self, name: &str) -> Option<BreakerHandle> {
        let inner = self.lock();
        let named = inner.breakers.get(name).cloned().map(BreakerHandle::named);
        let a_static = || inner.statics.iter().find(|breaker| breaker.name() == name).copied();
        named.or_else(|| a_static().map(BreakerHandle::of_static))
    }

    /// Returns the statistics of the tool of that name, which are created on first use.
    pub(crate) fn statistics(&self, name: &str) -> Arc<ToolStatistics> {
        entry(&mut self.lock().tools, name)
    }

    /// Returns the generation of the kept answers of a tool.
    #[cfg(feature = "cache")]
    fn generation_of(&self, tool: &'static str) -> Arc<Generation> {
        Arc::clone(self.lock().generations.entry(tool).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the statistics of that name, which are created on first use.
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
