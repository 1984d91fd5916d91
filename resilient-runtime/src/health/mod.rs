//! Whether this server is of use: checks of your own and of its breakers, errors and memory.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use resilient_runtime::health::{CheckResult, Health, HealthCheck, HealthStatus};
//!
//! let health = Health::new()
//!     .check(HealthCheck::new("database", || async { CheckResult::pass("answers") }).critical())
//!     .critical_tool("list_scenarios")
//!     .version(env!("CARGO_PKG_VERSION"));
//! assert_ne!(health.report().await.status, HealthStatus::Unhealthy);
//! # });
//! ```
//!
//! A report is kept for 30 s. Who asks later starts a new run of the checks, and is handed the last report
//! with its age while they run, up to twice that age; who asks where there is none, or an older one, waits
//! for the run. There is one run at a time, whoever asks: it belongs to nobody who asks, and goes on where
//! they give up. All checks run at a time, each in a task of its own and with its own limit; one that still
//! runs from the time before has failed, and is not started again.
//!
//! Built in are
//!
//! * `breakers`: one that rejects is a warning;
//! * `critical_tools`, where there are any: a name that no tool has is a warning;
//! * `error_rate`: of at least 20 calls that ran in the last five minutes, more than 10 % failed (a warning) or
//!   more than 20 % (a failure). Callers' mistakes, cancelled calls, calls that a breaker or a limit rejected, and
//!   calls of the ready-made tools for operators do not count. If no report was made for longer than five minutes,
//!   the rate is taken since the last report before, or since the start: see [`Health::watch`]. It is not critical,
//!   because a dependency that is down is down for every replica: see [`Health::critical_error_rate`];
//! * `memory`, which is critical: from 80 % of what the process may have on a warning, from 95 % on a
//!   failure. It is there where a control group sets a limit.

mod builtin;
mod check;
mod memory;
mod rate;
mod report;
mod run;
mod watched;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use crate::outcomes::CheckStatus;
pub use check::{Check, CheckResult, HealthCheck};
pub use report::{BreakerHealth, CheckReport, HealthReport, HealthStatus, LastError, Summary, ToolHealth};

use crate::registry::Registry;
use watched::Watched;

/// How long a report is handed out as if it were new, and how long a background task rests between two.
const INTERVAL: Duration = Duration::from_secs(30);
/// How long it is handed out while a new one is made.
const LONGEST: Duration = Duration::from_secs(60);

/// The health of a server.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::sync::{Arc, LazyLock};
/// use resilient_runtime::health::{Health, HealthStatus};
///
/// static HEALTH: LazyLock<Arc<Health>> = LazyLock::new(|| Arc::new(Health::new().version(env!("CARGO_PKG_VERSION"))));
///
/// assert_ne!(HEALTH.report().await.status, HealthStatus::Unhealthy);
/// HEALTH.drain(); // the server stops: it is no longer ready
/// assert!(HEALTH.is_draining());
/// # }
/// ```
pub struct Health {
    watched: Watched,
    is_draining: AtomicBool,
    runs: Arc<Mutex<Runs>>,
}

#[derive(Default)]
struct Runs {
    /// How many have begun.
    begun: u64,
    /// Of the last one that began: set once it is over, whatever became of it.
    over: Option<CancellationToken>,
    last: Option<Last>,
}

/// The last run that came to its end.
struct Last {
    run: u64,
    at: Instant,
    report: HealthReport,
}

impl Runs {
    /// The last report, if its run and its age are good enough.
    fn report(&self, is_good: impl FnOnce(u64, Duration) -> bool) -> Option<HealthReport> {
        let Last { run, at, report } = self.last.as_ref()?;
        let age = at.elapsed();
        is_good(*run, age).then(|| HealthReport { age, ..report.clone() })
    }
}

impl Health {
    /// The health of this process, with the checks that are built in.
    #[must_use]
    pub fn new() -> Self {
        Self::within(None)
    }

    fn within(registry: Option<Arc<Registry>>) -> Self {
        let watched = Watched {
            registry,
            checks: Vec::new(),
            critical_tools: BTreeSet::new(),
            is_error_rate_critical: false,
            version: None,
            started: Instant::now(),
            past: Arc::default(),
        };
        Self { watched, is_draining: AtomicBool::new(false), runs: Arc::default() }
    }

    /// The health of what runs in this registry.
    #[must_use]
    pub fn of(registry: &Arc<Registry>) -> Self {
        Self::within(Some(Arc::clone(registry)))
    }

    /// Adds a check. It takes the place of one of the same name, a built-in one too.
    #[must_use]
    pub fn check(mut self, check: HealthCheck) -> Self {
        self.watched.checks.retain(|known| known.name != check.name);
        self.watched.checks.push(Arc::new(check));
        self
    }

    /// Says that the server is of no use while this tool is unhealthy. While there is none of that name, a
    /// report warns of it.
    #[must_use]
    pub fn critical_tool(mut self, tool: impl Into<String>) -> Self {
        self.watched.critical_tools.insert(tool.into());
        self
    }

    /// Makes `error_rate` critical: while more than 20 % of the calls fail, the server is unhealthy and not ready.
    /// By default a report shows the failed check, and the server is degraded.
    ///
    /// Use it only if another replica would serve the same calls better, for example because failures come from
    /// this process's own state. If all replicas share the dependency that fails, all of them leave the load
    /// balancer at once, and stay out for up to five minutes after the dependency has recovered.
    ///
    /// ```
    /// use resilient_runtime::health::Health;
    ///
    /// let health = Health::new().critical_error_rate();
    /// # drop(health);
    /// ```
    #[must_use]
    pub fn critical_error_rate(mut self) -> Self {
        self.watched.is_error_rate_critical = true;
        self
    }

    /// The version of the server, for its reports: `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.watched.version = Some(version.into());
        self
    }

    /// The last report, if it is not older than 30 s, or than a minute while the checks run; else a new one.
    pub async fn report(&self) -> HealthReport {
        if let Some(report) = self.lock().report(|_, age| age < INTERVAL) {
            return report;
        }
        let run = self.join();
        self.report_of(run, LONGEST).await
    }

    /// A report that is made now.
    pub async fn report_now(&self) -> HealthReport {
        self.report_younger_than(Duration::ZERO).await
    }

    /// A report that is younger than this, or of a run that has not begun yet.
    pub(crate) async fn report_younger_than(&self, age: Duration) -> HealthReport {
        let next = self.lock().begun + 1;
        self.report_of(next, age).await
    }

    /// Takes part in the run that goes on, or else in one that begins.
    fn join(&self) -> u64 {
        let mut runs = self.lock();
        self.running(&mut runs);
        runs.begun
    }

    /// The report of this run or a later one, or one that is younger than this.
    async fn report_of(&self, run: u64, longest: Duration) -> HealthReport {
        loop {
            let over = {
                let mut runs = self.lock();
                if let Some(report) = runs.report(|known, age| known >= run || age < longest) {
                    return report;
                }
                self.running(&mut runs)
            };
            over.cancelled().await;
        }
    }

    /// The end of the run that goes on, or else of one that begins: in a task of its own, so that it goes on
    /// where whoever asked has given up.
    fn running(&self, runs: &mut Runs) -> CancellationToken {
        if let Some(over) = runs.over.as_ref().filter(|over| !over.is_cancelled()) {
            return over.clone();
        }
        let over = CancellationToken::new();
        runs.begun += 1;
        runs.over = Some(over.clone());
        // A runtime that shuts down drops the guard with the rest.
        let (run, ends) = (runs.begun, over.clone().drop_guard());
        tokio::spawn(make_report(self.watched.clone(), Arc::clone(&self.runs), run, ends));
        over
    }

    /// Makes a report about every 30 s until the future is dropped: spawn it.
    pub async fn watch(&self) {
        loop {
            let begun = Instant::now();
            let run = self.join();
            self.report_of(run, Duration::ZERO).await;
            // A little earlier at random: what started together need not probe together for ever.
            sleep_until(begun + INTERVAL.mul_f64(1.0 - fastrand::f64() / 10.0)).await;
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
        self.watched.registry.as_ref()
    }

    /// Where what it is the health of is counted.
    pub(crate) fn registry(&self) -> &Registry {
        self.watched.registry()
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        lock(&self.runs)
    }
}

fn lock(runs: &Mutex<Runs>) -> MutexGuard<'_, Runs> {
    runs.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the report of this run, keeps it and tells what is wrong.
async fn make_report(watched: Watched, runs: Arc<Mutex<Runs>>, run: u64, _ends: DropGuard) {
    let at = Instant::now();
    let report = watched.report().await;
    watched.registry().note_health(report.checks.iter().map(|check| (check.name.clone(), check.status)));
    // Kept before it is told: whoever listens may panic.
    let before = lock(&runs).last.replace(Last { run, at, report: report.clone() });
    for check in report.checks.iter().filter(|check| check.status == CheckStatus::Fail) {
        let CheckReport { name, message, consecutive_failures, .. } = check;
        tracing::error!(event = "health.check_failed", check = name, message, consecutive_failures);
    }
    let (before, now) = (before.map(|before| before.report.status), report.status);
    if let Some(before) = before.filter(|before| *before != now) {
        tracing::warn!(event = "health.changed", from = before.as_str(), to = now.as_str());
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").field("checks", &self.watched.checks).finish_non_exhaustive()
    }
}
