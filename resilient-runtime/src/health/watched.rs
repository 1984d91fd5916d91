//! What a [`Health`](super::Health) monitors, and how a report is computed from it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::check::{CheckResult, HealthCheck};
#[cfg(feature = "deferred")]
use super::deferred::{self, DeferredCheck};
use super::memory::memory;
use super::rate::{ErrorRate, Sample};
use super::report::{CheckReport, HealthReport, HealthStatus, Summary, ToolHealth};
use super::sampler::Sampler;
use super::{builtin, run};
use crate::gate::known;
use crate::outcomes::CheckStatus;
use crate::registry::Registry;

/// The configuration of a [`Health`](super::Health), shared with its runs.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) registry: Option<Arc<Registry>>,
    pub(super) checks: Vec<Arc<HealthCheck>>,
    /// The tools that were named as critical, besides those with the key `critical`.
    pub(super) critical_tools: BTreeSet<String>,
    pub(super) is_error_rate_critical: bool,
    pub(super) version: Option<String>,
    pub(super) started: Instant,
    /// The path whose file system is checked.
    pub(super) disk: PathBuf,
    /// Samples CPU and disk from the first report on, where the system permits it.
    pub(super) sampler: Arc<OnceLock<Option<Sampler>>>,
    /// State that is kept between reports.
    pub(super) past: Arc<Mutex<Past>>,
    /// The check of the store of deferred writes.
    #[cfg(feature = "deferred")]
    pub(super) deferred: DeferredCheck,
}

#[derive(Default)]
pub(super) struct Past {
    rate: ErrorRate,
    checks: HashMap<String, PastOfCheck>,
}

#[derive(Debug, Clone, Copy, Default)]
struct PastOfCheck {
    last_success: Option<SystemTime>,
    consecutive_failures: u32,
}

/// A check, built-in or not, with its result.
struct Checked {
    name: String,
    critical: bool,
    result: CheckResult,
    took: Duration,
}

impl Watched {
    /// Returns the registry whose statistics the reports are computed from.
    pub(super) fn registry(&self) -> &Registry {
        match &self.registry {
            Some(own) => own,
            None => Registry::global(),
        }
    }

    /// Whether this is a check that was added, possibly instead of a built-in one.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.checks.iter().any(|check| check.name == name)
    }

    /// Returns the checks that run as tasks: those that were added, and that of the store of deferred writes.
    fn asynchronous(&self) -> Cow<'_, [Arc<HealthCheck>]> {
        #[cfg(feature = "deferred")]
        if !self.is_own(deferred::NAME)
            && let Some(check) = deferred::check(self.registry(), &self.deferred)
        {
            return self.checks.iter().cloned().chain([check]).collect();
        }
        Cow::Borrowed(&self.checks)
    }

    /// Runs all checks and computes a report.
    pub(super) async fn report(&self) -> HealthReport {
        let checks = self.asynchronous();
        let results = run::all(&checks).await;
        let own = checks.iter().zip(results).map(|(check, (result, took))| Checked {
            name: check.name.clone(),
            critical: check.is_critical,
            result,
            took,
        });
        let registry = self.registry();
        let breakers = builtin::breaker_health(registry);
        let critical = known::critical().into_iter().chain(self.critical_tools.iter().cloned()).collect();
        let tools = builtin::tool_health(registry, &critical);
        let counted = Sample::now(registry);
        let sampled = self.sampler.get_or_init(|| Sampler::start(&self.disk)).as_ref().map(Sampler::results);
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let built_in = [
            Some(("breakers", false, builtin::breakers(&breakers))),
            builtin::connections(registry).map(|found| (builtin::CONNECTIONS, true, found)),
            builtin::critical_tools(registry, &self.critical_tools).map(|found| ("critical_tools", false, found)),
            Some(("error_rate", self.is_error_rate_critical, past.rate.check(counted))),
            memory().map(|found| ("memory", true, found)),
        ];
        let sampled = sampled.into_iter().flatten().map(|(name, found)| (name, false, found));
        let built_in = built_in.into_iter().flatten().chain(sampled).filter(|(name, ..)| !self.is_own(name));
        let built_in = built_in.map(|(name, critical, result)| Checked {
            name: name.into(),
            critical,
            result,
            took: Duration::ZERO,
        });
        let checks: Vec<_> = own.chain(built_in).map(|checked| past.add(checked)).collect();
        HealthReport {
            status: overall(&checks, &tools),
            at: SystemTime::now(),
            age: Duration::ZERO,
            uptime: self.started.elapsed(),
            level: registry.gate().level(),
            version: self.version.clone(),
            summary: Summary::of(&checks),
            checks,
            tools,
            breakers,
            #[cfg(feature = "alerts")]
            alerts: registry.alert_board().firing(),
        }
    }
}

impl Past {
    /// Updates the history of a check and returns its part of the report.
    fn add(&mut self, Checked { name, critical, result, took }: Checked) -> CheckReport {
        let CheckResult { status, message, details } = result.shown();
        let known = self.checks.entry(name.clone()).or_default();
        if status == CheckStatus::Fail {
            known.consecutive_failures = known.consecutive_failures.saturating_add(1);
        } else {
            known.consecutive_failures = 0;
        }
        if status == CheckStatus::Pass {
            known.last_success = Some(SystemTime::now());
        }
        let PastOfCheck { last_success, consecutive_failures } = *known;
        CheckReport { name, status, critical, message, details, took, last_success, consecutive_failures }
    }
}

/// Returns the overall status: unhealthy after a critical failure, degraded after any other failure or warning.
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
