//! The level that follows the health of a server: real checks and calls over MCP, in paused time.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use resilient_runtime::Resilience;
use resilient_runtime::gate::Level;
use resilient_runtime::health::{CheckResult, Health, HealthCheck};
use resilient_tests::gated::{Gated, READS, WRITES};
use resilient_tests::in_process::{connect, request};
use serde_json::json;
use tokio::time::{Instant, sleep};

const DWELL: Duration = Duration::from_secs(30);
const TWO_EVALUATIONS: Duration = Duration::from_secs(20);

/// The checks that the level depends on: one of the author's, and those that would measure this machine.
const CHECKS: [&str; 4] = ["database", "memory", "cpu", "disk"];

/// A check gets a result, and time passes until the next call.
#[derive(Debug, Clone)]
struct Step {
    check: usize,
    result: u8,
    seconds: u64,
    tool: &'static str,
}

fn step() -> impl Strategy<Value = Step> {
    let tools: Vec<_> = READS.into_iter().chain(WRITES).collect();
    let step = (0..CHECKS.len(), 0_u8..3, 1_u64..40, proptest::sample::select(tools));
    step.prop_map(|(check, result, seconds, tool)| Step { check, result, seconds, tool })
}

fn check(name: &str, result: &Arc<AtomicU8>) -> HealthCheck {
    let result = Arc::clone(result);
    HealthCheck::new(name, move || {
        let result = result.load(Ordering::Relaxed);
        async move {
            match result {
                0 => CheckResult::pass("works"),
                1 => CheckResult::warn("is slow"),
                _ => CheckResult::fail("does not answer"),
            }
        }
    })
}

async fn sequence(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let server = Gated::new();
    let (registry, bodies) = (server.registry(), server.bodies());
    let results = CHECKS.map(|_| Arc::new(AtomicU8::new(0)));
    let checks = CHECKS.iter().zip(&results).map(|(name, result)| check(name, result));
    let health = Arc::new(checks.fold(Health::of(&registry), |health, check| health.check(check.critical())));
    let automatic = [("RESILIENT__LEVEL__AUTOMATIC".into(), "true".into())];
    let settings = Resilience::from_variables(automatic).health(&health).start_with(&registry);
    let settings = settings.expect("nothing is wrong");
    let changes = Arc::new(Mutex::new(vec![(Instant::now(), Level::Normal)]));
    let mut levels = registry.gate().subscribe();
    let observing = tokio::spawn({
        let changes = Arc::clone(&changes);
        async move {
            while levels.changed().await.is_ok() {
                let level = *levels.borrow_and_update();
                changes.lock().expect("no panic").push((Instant::now(), level));
            }
        }
    });
    let client = connect(server).await;
    for Step { check, result, seconds, tool } in steps {
        results[check].store(result, Ordering::Relaxed);
        sleep(Duration::from_secs(seconds)).await;
        client.call_tool(request(tool, &json!({ "key": 1 }))).await.expect("an answer");
    }
    settings.shutdown().await;
    observing.abort();
    let changes = changes.lock().expect("no panic").clone();
    for pair in changes.windows(2) {
        let [(since, before), (at, after)] = [pair[0], pair[1]];
        let held = at - since;
        if after < before {
            prop_assert_eq!(after, before.better(), "one step at a time: {:?}", changes);
            prop_assert!(held >= DWELL, "{:?}: {:?}", held, changes);
        } else if before != Level::Normal {
            // The first evaluation is at the start.
            prop_assert!(held >= TWO_EVALUATIONS, "{:?}: {:?}", held, changes);
        }
    }
    prop_assert_eq!(bodies.forbidden.load(Ordering::Relaxed), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_level_changes_no_faster_than_its_dwell_and_at_most_one_step_better_and_no_body_runs_against_it(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(sequence(steps))?;
    }
}
