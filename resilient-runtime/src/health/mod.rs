//! Health reports of a server: your own checks, and built-in checks of breakers, errors, memory, CPU and disk.
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
//! Reports are cached for 30 s. A report between 30 s and 60 s old is still served, with its age, while a new run of
//! the checks computes the next one. If there is no report, or the last one is older than 60 s, the caller waits for
//! the run. At most one run is in progress; callers share it, and it continues if they are cancelled. Within a run all
//! checks execute concurrently, each in a separate task with its own timeout. A check that is still running from the
//! previous run counts as failed and is not started again.
//!
//! The built-in checks are
//!
//! * `breakers`: warns if a breaker rejects calls;
//! * `connections`, which is critical, present if there are [`connections`](crate::connections) to other servers: warns
//!   if one of them cannot be reached, and fails if none can;
//! * `critical_tools`, present if you name tools with [`Health::critical_tool`]: warns about a name that matches no tool;
//! * `error_rate`: warns if more than 10 % of at least 20 calls that ran in the last five minutes failed, and fails if
//!   more than 20 % did. Callers' mistakes, cancelled calls, calls that a breaker or a limit rejected, and calls of the
//!   ready-made tools for operators do not count. If no report was made for longer than five minutes, the rate is
//!   measured since the last report before that, or since the start: see [`Health::watch`]. It is not critical, because
//!   a dependency that is down is down for every replica: see [`Health::critical_error_rate`];
//! * `deferred`, present if [`Resilience::start`](crate::Resilience::start) has set a store of deferred writes: fails if
//!   the store cannot accept a write. It is critical, because another replica could accept it, unless all replicas
//!   [share](crate::deferred::DeferredStore::is_shared) the store. Warns if there are dead letters of tools with
//!   `on_exhausted = notify`;
//! * `memory`, which is critical: warns from 80 % and fails from 95 % of the process's memory limit. Present only if a
//!   control group sets a limit;
//! * `cpu`: warns from 90 % and fails from 95 % of the CPU time that the process may use: the quota of its control
//!   group, or else the time of all CPUs that it may run on;
//! * `disk`: warns from 95 % and fails from 98 % of the space of a file system, that of the working directory or of
//!   [`Health::disk`].
//!
//! Two threads sample `cpu` and `disk` every 10 s from the first report on, so that no report waits for a file system.
//! Until the first sample, they pass with the message `not known yet` and the detail `is_known: false`; `cpu` needs two
//! samples. If there is no sample for a minute, `cpu` warns, and `disk` fails. Both need Linux and its `/proc`. On other
//! systems they are absent from reports, and the first report logs that, once per process.

mod builtin;
mod check;
mod cpu;
#[cfg(feature = "deferred")]
mod deferred;
mod disk;
mod groups;
mod level;
mod memory;
mod rate;
mod report;
mod run;
mod sampler;
mod watched;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use crate::outcomes::CheckStatus;
#[cfg(feature = "status-page")]
pub(crate) use builtin::status_of_tool;
pub use check::{Check, CheckResult, HealthCheck};
#[cfg(all(feature = "prometheus", target_os = "linux"))]
pub(crate) use memory::memory_limit;
#[cfg(feature = "alerts")]
pub(crate) use memory::memory_share;
pub use report::{BreakerHealth, CheckReport, HealthReport, HealthStatus, LastError, Summary, ToolHealth};

use crate::registry::Registry;
use watched::Watched;

/// How long a report counts as current, and the interval of [`Health::watch`].
const INTERVAL: Duration = Duration::from_secs(30);
/// How long a report is served while a new one is computed.
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
/// HEALTH.drain(); // the server is stopping, and no longer ready
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
    /// The number of runs that have started.
    begun: u64,
    /// Cancelled when the last run that started ends, even if it panicked.
    over: Option<CancellationToken>,
    last: Option<Last>,
}

/// The last completed run.
struct Last {
    run: u64,
    at: Instant,
    report: HealthReport,
}

impl Runs {
    /// Returns the last report with its current age if `is_good` accepts its run and age.
    fn report(&self, is_good: impl FnOnce(u64, Duration) -> bool) -> Option<HealthReport> {
        let Last { run, at, report } = self.last.as_ref()?;
        let age = at.elapsed();
        is_good(*run, age).then(|| HealthReport { age, ..report.clone() })
    }
}

impl Health {
    /// Creates the health of the whole process, with the built-in checks.
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
            disk: ".".into(),
            sampler: Arc::default(),
            past: Arc::default(),
            #[cfg(feature = "deferred")]
            deferred: Arc::default(),
        };
        Self { watched, is_draining: AtomicBool::new(false), runs: Arc::default() }
    }

    /// Creates the health of everything that runs in this registry.
    #[must_use]
    pub fn of(registry: &Arc<Registry>) -> Self {
        Self::within(Some(Arc::clone(registry)))
    }

    /// Adds a check. It replaces a check of the same name, including a built-in one.
    #[must_use]
    pub fn check(mut self, check: HealthCheck) -> Self {
        self.watched.checks.retain(|known| known.name != check.name);
        self.watched.checks.push(Arc::new(check));
        self
    }

    /// Marks a tool as critical: while it is unhealthy, the server is unhealthy. If no tool has that name, reports
    /// contain a warning.
    ///
    /// Tools with the key `critical` of `#[resilient]` are critical without this. It is for tools of routers without the
    /// macro.
    #[must_use]
    pub fn critical_tool(mut self, tool: impl Into<String>) -> Self {
        self.watched.critical_tools.insert(tool.into());
        self
    }

    /// Makes `error_rate` critical: while more than 20 % of the calls fail, the server is unhealthy and not ready. By
    /// default a report shows the failed check, and the server is degraded.
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

    /// Sets the path whose file system the check `disk` reads. The default is the working directory.
    ///
    /// ```
    /// use resilient_runtime::health::Health;
    ///
    /// let health = Health::new().disk("/var/lib/server");
    /// # drop(health);
    /// ```
    #[must_use]
    pub fn disk(mut self, path: impl Into<PathBuf>) -> Self {
        self.watched.disk = path.into();
        self
    }

    /// Sets the version of the server that reports show, usually `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.watched.version = Some(version.into());
        self
    }

    /// Returns the last report if it is at most 30 s old, or at most 60 s old while a new one is computed. Otherwise
    /// waits for a new report.
    pub async fn report(&self) -> HealthReport {
        let last = self.lock().report(|_, age| age < INTERVAL);
        if let Some(report) = last {
            return self.at_present(report);
        }
        let run = self.join();
        self.report_of(run, LONGEST).await
    }

    /// Runs the checks and returns a new report.
    pub async fn report_now(&self) -> HealthReport {
        self.report_younger_than(Duration::ZERO).await
    }

    /// Returns a report that is younger than `age`, or one of a run that starts after this call.
    pub(crate) async fn report_younger_than(&self, age: Duration) -> HealthReport {
        let next = self.lock().begun + 1;
        self.report_of(next, age).await
    }

    /// Joins the run in progress, or starts one. Returns its number.
    fn join(&self) -> u64 {
        let mut runs = self.lock();
        self.running(&mut runs);
        runs.begun
    }

    /// Waits for a report of this run or a later one, or one that is younger than `longest`.
    async fn report_of(&self, run: u64, longest: Duration) -> HealthReport {
        loop {
            let over = {
                let mut runs = self.lock();
                if let Some(report) = runs.report(|known, age| known >= run || age < longest) {
                    return self.at_present(report);
                }
                self.running(&mut runs)
            };
            over.cancelled().await;
        }
    }

    /// Returns a report with the level that holds and the alerts that fire now, which may have changed since the checks
    /// ran.
    fn at_present(&self, report: HealthReport) -> HealthReport {
        HealthReport {
            level: self.registry().gate().level(),
            #[cfg(feature = "alerts")]
            alerts: self.registry().alert_board().firing(),
            ..report
        }
    }

    /// Returns the token of the run in progress, or starts a run. The run is a separate task, so that it continues if
    /// the caller is cancelled.
    fn running(&self, runs: &mut Runs) -> CancellationToken {
        if let Some(over) = runs.over.as_ref().filter(|over| !over.is_cancelled()) {
            return over.clone();
        }
        let over = CancellationToken::new();
        runs.begun += 1;
        runs.over = Some(over.clone());
        // If the runtime shuts down, it drops the guard along with the task, which wakes the waiters.
        let (run, ends) = (runs.begun, over.clone().drop_guard());
        tokio::spawn(make_report(self.watched.clone(), Arc::clone(&self.runs), run, ends));
        over
    }

    /// Computes a report about every 30 s until the future is dropped. Spawn it in the background.
    pub async fn watch(&self) {
        loop {
            let begun = Instant::now();
            let run = self.join();
            self.report_of(run, Duration::ZERO).await;
            // Up to 10 % earlier at random, so that replicas that started together do not stay in step.
            sleep_until(begun + INTERVAL.mul_f64(1.0 - fastrand::f64() / 10.0)).await;
        }
    }

    /// Marks the server as stopping: the routers of the feature `http` report it as not ready, regardless of its checks
    /// find.
    ///
    /// Reports and calls continue as before; rejecting new calls and waiting for running ones is up to the server. This
    /// cannot be undone.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
    }

    /// Returns whether [`drain`](Self::drain) was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    /// Returns the registry that this health is limited to, or `None` for the whole process.
    #[cfg(feature = "http")]
    pub(crate) fn own_registry(&self) -> Option<&Arc<Registry>> {
        self.watched.registry.as_ref()
    }

    /// Returns the version of the server, if it is set.
    #[cfg(feature = "status-page")]
    pub(crate) fn own_version(&self) -> Option<&str> {
        self.watched.version.as_deref()
    }

    /// Returns how long the server has been monitored.
    #[cfg(feature = "status-page")]
    pub(crate) fn uptime(&self) -> Duration {
        self.watched.started.elapsed()
    }

    /// Returns the last report, however old it is, without running any check.
    #[cfg(feature = "status-page")]
    pub(crate) fn last_report(&self) -> Option<HealthReport> {
        self.lock().report(|_, _| true)
    }

    /// Returns whether a check of this name is the built-in one of connections to other servers.
    #[cfg(feature = "http")]
    pub(crate) fn is_of_connections(&self, name: &str) -> bool {
        name == builtin::CONNECTIONS && !self.watched.is_own(name)
    }

    /// Returns the registry whose statistics the reports are computed from.
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

/// Computes and stores the report of a run, and logs failed checks and changes of the status.
async fn make_report(watched: Watched, runs: Arc<Mutex<Runs>>, run: u64, _ends: DropGuard) {
    let at = Instant::now();
    let report = watched.report().await;
    watched.registry().note_health(report.checks.iter().map(|check| (check.name.clone(), check.status)));
    // Stored before logging, because the subscriber may panic.
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
