//! The level of service that follows the health of the server.

use std::time::Duration;

use resilient_policy::Level;
use tokio::time::{MissedTickBehavior, interval};

use super::report::CheckReport;
use super::{CheckStatus, Health};
use crate::clock::Moment;
use crate::gate::by_health::LevelByHealth;
use crate::panics::catch_panic;

/// The time between two evaluations.
const INTERVAL: Duration = Duration::from_secs(10);

/// The built-in checks that the level does not influence. Breakers, error rate and tools depend on the calls that a
/// level withholds: with them, a level would change the health that it follows.
const INDEPENDENT: [&str; 3] = ["memory", "cpu", "disk"];

impl Health {
    /// Whether the author has added a check, as a level that follows the health requires.
    pub(crate) fn has_own_checks(&self) -> bool {
        !self.watched.checks.is_empty()
    }

    /// Evaluates the health every 10 s, and passes each level that it suggests to `apply`, until the future is dropped.
    ///
    /// Each evaluation is a new report, so that the checks run once for both, and a check that panics or hangs has
    /// failed. If a check takes longer than 10 s, the next evaluation follows when it has ended.
    pub(crate) async fn follow(&self, apply: impl Fn(Level)) {
        let mut level = LevelByHealth::new();
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let report = self.report_now().await;
            let share = share(&report.checks, |name| self.watched.is_own(name));
            if let Some(level) = level.evaluate(share, Moment::now()) {
                // A subscriber may panic, and the next evaluation must follow.
                catch_panic(|| apply(level));
            }
        }
    }
}

/// Returns the share of the checks that pass, from 0 to 1, of those that the level does not influence. Critical checks
/// of the author's and `memory` count twice, a warning counts half.
fn share(checks: &[CheckReport], is_own: impl Fn(&str) -> bool) -> f64 {
    let (mut passed, mut whole) = (0.0, 0.0);
    for check in checks {
        let own = is_own(&check.name);
        if !own && !INDEPENDENT.contains(&&*check.name) {
            continue;
        }
        let weight = if check.name == "memory" || (own && check.critical) { 2.0 } else { 1.0 };
        whole += weight;
        passed += match check.status {
            CheckStatus::Pass => weight,
            CheckStatus::Warn => weight / 2.0,
            CheckStatus::Fail => 0.0,
        };
    }
    if whole > 0.0 { passed / whole } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Mutex};

    use tokio::time::{Instant, sleep, timeout};

    use super::*;
    use resilient_policy::{BreakerSettings, BreakerUse, GateSettings, Policy};

    use crate::error::ResilienceError;
    use crate::gate::Gated;
    use crate::guard::Guard;
    use crate::health::{CheckResult, HealthCheck};
    use crate::registry::Registry;

    const SECOND: Duration = Duration::from_secs(1);

    /// The results of checks, which a test changes.
    #[derive(Clone, Default)]
    struct Results(Arc<Mutex<Vec<(&'static str, CheckResult)>>>);

    impl Results {
        fn set(&self, name: &'static str, result: CheckResult) {
            let mut results = self.0.lock().unwrap();
            results.retain(|(known, _)| *known != name);
            results.push((name, result));
        }

        fn check(&self, name: &'static str) -> HealthCheck {
            let results = self.clone();
            HealthCheck::new(name, move || {
                let results = results.0.lock().unwrap();
                let found = results.iter().find(|(known, _)| *known == name);
                std::future::ready(found.map_or_else(|| CheckResult::pass(""), |(_, result)| result.clone()))
            })
        }
    }

    /// The built-in checks that this machine would decide, replaced.
    fn health(registry: &Arc<Registry>, results: &Results) -> Health {
        INDEPENDENT.iter().fold(Health::of(registry), |health, name| health.check(results.check(name)))
    }

    /// Levels, each with the seconds since the start.
    type Levels = Arc<Mutex<Vec<(u64, Level)>>>;

    /// Follows a health in the background.
    fn follow(health: Health) -> (tokio::task::JoinHandle<()>, Levels) {
        let levels = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&levels);
        let started = Instant::now();
        let apply = move |level| to.lock().unwrap().push((started.elapsed().as_secs(), level));
        (tokio::spawn(async move { health.follow(apply).await }), levels)
    }

    fn of(checks: &[(&str, CheckStatus, bool)], own: &[&str]) -> f64 {
        let report = |&(name, status, critical): &(&str, CheckStatus, bool)| CheckReport {
            name: name.into(),
            status,
            critical,
            message: String::new(),
            details: None,
            took: Duration::ZERO,
            last_success: None,
            consecutive_failures: 0,
        };
        let checks: Vec<_> = checks.iter().map(report).collect();
        share(&checks, |name| own.contains(&name))
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "quotients of small numbers")]
    fn the_share_of_checks_that_the_level_does_not_influence() {
        use CheckStatus::{Fail, Pass, Warn};
        for (checks, own, expected) in [
            (&[][..], &[][..], 1.0),
            (&[("breakers", Fail, false), ("error_rate", Fail, true), ("critical_tools", Warn, false)], &[], 1.0),
            (&[("database", Fail, false), ("cpu", Pass, false)], &["database"], 0.5),
            (&[("database", Fail, true), ("cpu", Pass, false)], &["database"], 1.0 / 3.0),
            (&[("database", Warn, true), ("cpu", Pass, false)], &["database"], 2.0 / 3.0),
            (&[("database", Warn, false), ("cpu", Pass, false), ("disk", Pass, false)], &["database"], 2.5 / 3.0),
            (&[("memory", Fail, true), ("cpu", Pass, false), ("disk", Pass, false)], &[], 0.5),
            // The author's own check in place of a built-in one.
            (&[("memory", Fail, false), ("cpu", Pass, true)], &["memory", "cpu"], 0.5),
            (&[("error_rate", Fail, false), ("cpu", Pass, false)], &["error_rate"], 0.5),
        ] {
            assert_eq!(of(checks, own), expected, "{checks:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_level_is_worse_after_two_evaluations_and_better_by_one_step_after_30_s() {
        let results = Results::default();
        let health = health(&Arc::default(), &results).check(results.check("database").critical());
        let (following, levels) = follow(health);
        sleep(5 * SECOND).await;
        results.set("database", CheckResult::fail(""));
        results.set("cpu", CheckResult::fail(""));
        // 3 of 6: minimal.
        sleep(60 * SECOND).await;
        assert_eq!(*levels.lock().unwrap(), [(20, Level::Minimal)]);
        results.set("memory", CheckResult::fail(""));
        sleep(20 * SECOND).await;
        assert_eq!(levels.lock().unwrap().last(), Some(&(80, Level::Emergency)));
        for name in ["database", "cpu", "memory"] {
            results.set(name, CheckResult::pass(""));
        }
        sleep(200 * SECOND).await;
        let better = [(120, Level::Minimal), (150, Level::Degraded), (180, Level::Normal)];
        assert_eq!(levels.lock().unwrap()[2..], better);
        following.abort();
        assert!(following.await.unwrap_err().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn checks_that_panic_or_hang_have_failed_and_the_evaluation_goes_on() {
        let results = Results::default();
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let health = health(&Arc::default(), &results)
            .check(HealthCheck::new("panics", move || {
                let run = counted.fetch_add(1, Ordering::SeqCst);
                assert!(run > 20, "the check panics");
                std::future::ready(CheckResult::pass(""))
            }))
            .check(HealthCheck::new("hangs", std::future::pending).critical());
        // 4 of 7: minimal. 5 of 7 once nothing panics: degraded.
        let (_following, levels) = follow(health);
        sleep(600 * SECOND).await;
        assert!(runs.load(Ordering::SeqCst) > 30);
        let seen: Vec<_> = levels.lock().unwrap().iter().map(|(_, level)| *level).collect();
        assert_eq!(seen, [Level::Minimal, Level::Degraded]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_that_cannot_be_applied_is_not_the_last_one() {
        let results = Results::default();
        results.set("database", CheckResult::fail(""));
        let health = health(&Arc::default(), &results).check(results.check("database").critical());
        let seen = AtomicU32::new(0);
        let following = health.follow(|level| {
            seen.fetch_add(1, Ordering::SeqCst);
            results.set("database", CheckResult::pass(""));
            assert_eq!(level, Level::Normal, "the subscriber panics");
        });
        timeout(200 * SECOND, following).await.unwrap_err();
        // Minimal, then degraded, then normal.
        assert_eq!(seen.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_level_does_not_follow_from_the_calls_that_fail_or_that_it_withholds() {
        const BREAKER: BreakerUse = BreakerUse::with("level_shop", BreakerSettings::new());
        static SHOP: Guard = Guard::new("level_shop", Policy::new().breaker(BREAKER));
        let (registry, results) = (Arc::new(Registry::new()), Results::default());
        registry.gate.start(GateSettings { automatic: true, ..GateSettings::default() }).log();
        let reject = async || {
            let _ = registry.clone().scope(SHOP.call(async || Ok::<_, ResilienceError>(()))).await;
            registry.breaker("level_shop").expect("a breaker").isolate();
        };
        let writes = Gated { names: ["level_write"; 2], features: &[], writes: true, reads: false, is_critical: false };
        let health = health(&registry, &results).check(results.check("database").critical());
        let health = Arc::new(health.critical_error_rate().critical_tool("no_such_tool"));
        let following = tokio::spawn({
            let (health, registry) = (Arc::clone(&health), Arc::clone(&registry));
            async move { health.follow(|level| registry.gate.level_by_health(level)).await }
        });
        // A breaker rejects all calls, and the report has warnings.
        for _ in 0..30 {
            reject().await;
            sleep(20 * SECOND).await;
            assert_eq!(registry.gate.level(), Level::Normal);
        }
        let warned = health.report().await.checks.into_iter().filter(|check| check.status == CheckStatus::Warn);
        assert!(warned.map(|check| check.name).eq(["breakers".to_owned(), "critical_tools".to_owned()]));
        // The author's check fails, and the level withholds writes until it passes again.
        for name in ["database", "memory"] {
            results.set(name, CheckResult::fail(""));
        }
        sleep(30 * SECOND).await;
        for _ in 0..30 {
            assert_eq!(registry.gate.level(), Level::Emergency);
            assert!(registry.gate.admit(&writes, false).is_err());
            sleep(20 * SECOND).await;
        }
        for name in ["database", "memory"] {
            results.set(name, CheckResult::pass(""));
        }
        let mut levels = vec![registry.gate.level()];
        for _ in 0..60 {
            reject().await;
            let _ = registry.gate.admit(&writes, false);
            sleep(5 * SECOND).await;
            levels.push(registry.gate.level());
        }
        levels.dedup();
        assert_eq!(levels, [Level::Emergency, Level::Minimal, Level::Degraded, Level::Normal]);
        following.abort();
    }
}
