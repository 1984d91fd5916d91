//! Whether this server is of use: checks of your own and of its breakers, errors and memory.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use resilient_runtime::health::{CheckResult, Health, HealthCheck, HealthStatus};
//!
//! let health = Health::new()
//!     .check(HealthCheck::new("database", || async { CheckResult::pass("answers") }).critical())
//!     .critical_tool("list_scenarios");
//! assert_eq!(health.report().await.status, HealthStatus::Healthy);
//! # });
//! ```
//!
//! A report is kept for 30 s; who asks meanwhile gets it with its age, and who asks while the checks
//! run waits for the same run. All checks run at a time, each in a task of its own and with its own limit.
//!
//! Built in are
//!
//! * `breakers`: one that is open is a warning;
//! * `error_rate`, which is critical: of at least 20 calls in the last five minutes more than 10 % have
//!   failed (a warning), or more than 20 % (a failure). What callers did wrong, too often or gave up does
//!   not count. It is known where reports are made now and then: see [`Health::watch`];
//! * `memory`, which is critical: from 80 % of what the process may have on a warning, from 95 % on a
//!   failure. It is there where a control group sets a limit.

mod builtin;
mod check;
mod report;
mod run;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, MissedTickBehavior, interval};

pub use check::{Check, CheckResult, CheckStatus, HealthCheck};
pub use report::{BreakerHealth, CheckReport, HealthReport, HealthStatus, ToolHealth};

use crate::redact;
use crate::registry::Registry;
use builtin::ErrorRate;

/// How long a report is handed out again, and how long a background task rests between two.
const INTERVAL: Duration = Duration::from_secs(30);

/// The health of a server.
pub struct Health {
    registry: Option<Arc<Registry>>,
    checks: Vec<Arc<HealthCheck>>,
    critical_tools: BTreeSet<String>,
    started: Instant,
    is_draining: AtomicBool,
    /// Whoever holds it runs the checks.
    running: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

struct Known {
    /// How many runs have begun.
    begun: u64,
    last: Option<Last>,
    history: HashMap<String, History>,
    rate: ErrorRate,
}

/// The last run that came to its end.
struct Last {
    run: u64,
    at: Instant,
    report: HealthReport,
}

/// What is remembered of a check between two runs.
#[derive(Debug, Clone, Copy, Default)]
struct History {
    last_success: Option<SystemTime>,
    consecutive_failures: u32,
}

impl Health {
    /// The health of this process, with the checks that are built in.
    #[must_use]
    pub fn new() -> Self {
        Self::within(None)
    }

    fn within(registry: Option<Arc<Registry>>) -> Self {
        let rate = ErrorRate::new(registry.as_deref().unwrap_or_else(|| Registry::global()));
        Self {
            registry,
            checks: Vec::new(),
            critical_tools: BTreeSet::new(),
            started: Instant::now(),
            is_draining: AtomicBool::new(false),
            running: tokio::sync::Mutex::new(()),
            known: Mutex::new(Known { begun: 0, last: None, history: HashMap::new(), rate }),
        }
    }

    /// The health of what runs in this registry.
    #[must_use]
    pub fn of(registry: &Arc<Registry>) -> Self {
        Self::within(Some(Arc::clone(registry)))
    }

    /// Adds a check. It takes the place of one of the same name, a built-in one too.
    #[must_use]
    pub fn check(mut self, check: HealthCheck) -> Self {
        self.checks.retain(|known| known.name != check.name);
        self.checks.push(Arc::new(check));
        self
    }

    /// Says that the server is of no use while this tool is unhealthy.
    #[must_use]
    pub fn critical_tool(mut self, tool: impl Into<String>) -> Self {
        self.critical_tools.insert(tool.into());
        self
    }

    /// The last report, if it is not older than 30 s; else a new one.
    pub async fn report(&self) -> HealthReport {
        self.report_of(INTERVAL).await
    }

    /// A report that is made now.
    pub async fn report_now(&self) -> HealthReport {
        self.report_of(Duration::ZERO).await
    }

    /// Makes a report every 30 s until the future is dropped: spawn it.
    pub async fn watch(&self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.report_now().await;
        }
    }

    /// Says that the server is stopping: for the routers of the feature `http` it is no longer ready,
    /// whatever its checks find. Reports and calls go on as before; to refuse new calls and to wait for those
    /// that run is up to the server. There is no way back.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
    }

    /// Whether the server is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    /// What it is the health of, if that is not the whole process.
    #[cfg(feature = "http")]
    pub(crate) fn own_registry(&self) -> Option<&Arc<Registry>> {
        self.registry.as_ref()
    }

    /// A report that is younger than this, or was begun after it was asked for.
    async fn report_of(&self, age: Duration) -> HealthReport {
        let asked = self.lock().begun;
        let known = || {
            let known = self.lock();
            let Last { run, at, report } = known.last.as_ref()?;
            let is_good = at.elapsed() < age || *run > asked;
            is_good.then(|| HealthReport { age: at.elapsed(), ..report.clone() })
        };
        if let Some(known) = known() {
            return known;
        }
        let _running = self.running.lock().await;
        // Whoever ran meanwhile ran for everybody who waited.
        if let Some(known) = known() {
            return known;
        }
        let run = {
            let mut known = self.lock();
            known.begun += 1;
            known.begun
        };
        let at = Instant::now();
        let report = self.run().await;
        self.keep(Last { run, at, report: report.clone() });
        report
    }

    async fn run(&self) -> HealthReport {
        let results = run::all(&self.checks).await;
        let registry = self.registry();
        let breakers = builtin::breaker_health(registry);
        let tools = builtin::tool_health(registry, |tool| self.critical_tools.contains(tool));
        let own = self
            .checks
            .iter()
            .zip(results)
            .map(|(check, (result, took))| (check.name.clone(), check.is_critical, result, took));
        let rate = self.lock().rate.check(registry);
        let built_in = [
            Some(("breakers", false, builtin::breakers(&breakers))),
            // So many failures are a reason to stop sending anything here.
            Some(("error_rate", true, rate)),
            builtin::memory().map(|memory| ("memory", true, memory)),
        ];
        let is_own = |name: &str| self.checks.iter().any(|check| check.name == name);
        let built_in = built_in.into_iter().flatten().filter(|(name, ..)| !is_own(name));
        let all =
            own.chain(built_in.map(|(name, is_critical, result)| (name.into(), is_critical, result, Duration::ZERO)));
        let checks: Vec<_> =
            all.map(|(name, critical, result, took)| self.told(name, critical, result, took)).collect();
        HealthReport {
            status: overall(&checks, &tools),
            age: Duration::ZERO,
            uptime: self.started.elapsed(),
            checks,
            tools,
            breakers,
        }
    }

    /// What a check found, with what is remembered of it.
    fn told(&self, name: String, critical: bool, result: CheckResult, took: Duration) -> CheckReport {
        let CheckResult { status, message, details } = result;
        let mut known = self.lock();
        let history = known.history.entry(name.clone()).or_default();
        if status == CheckStatus::Fail {
            history.consecutive_failures = history.consecutive_failures.saturating_add(1);
        } else {
            history.consecutive_failures = 0;
        }
        if status == CheckStatus::Pass {
            history.last_success = Some(SystemTime::now());
        }
        let History { last_success, consecutive_failures } = *history;
        drop(known);
        let (message, details) = (redact::fit(&message), details.map(redact::json));
        if status == CheckStatus::Fail {
            tracing::error!(event = "health.check_failed", check = name, message, consecutive_failures);
        }
        CheckReport { name, status, critical, message, details, took, last_success, consecutive_failures }
    }

    fn keep(&self, last: Last) {
        self.registry().note_health(last.report.checks.iter().map(|check| (check.name.clone(), check.status)));
        let now = last.report.status;
        let before = self.lock().last.replace(last).map(|before| before.report.status);
        if let Some(before) = before.filter(|before| *before != now) {
            tracing::warn!(event = "health.changed", from = before.as_str(), to = now.as_str());
        }
    }

    /// Where what it is the health of is counted.
    pub(crate) fn registry(&self) -> &Registry {
        match &self.registry {
            Some(own) => own,
            None => Registry::global(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").field("checks", &self.checks).finish_non_exhaustive()
    }
}

/// Critical failures make the whole unhealthy, everything else that is not as it should be degrades it.
fn overall(checks: &[CheckReport], tools: &[ToolHealth]) -> HealthStatus {
    let fails = |critical: bool| {
        let check = checks.iter().any(|check| check.status == CheckStatus::Fail && (check.critical || !critical));
        check || tools.iter().any(|tool| tool.status == HealthStatus::Unhealthy && (tool.critical || !critical))
    };
    if fails(true) {
        HealthStatus::Unhealthy
    } else if fails(false)
        || checks.iter().any(|check| check.status == CheckStatus::Warn)
        || tools.iter().any(|tool| tool.status == HealthStatus::Degraded)
    {
        HealthStatus::Degraded
    } else {
        HealthStatus::Healthy
    }
}
