//! Settings that are read again while the server runs: what changes, what is rejected, and what needs a restart.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::startup::{Handle, InvalidSettings};
use resilient_runtime::{Registry, ResilienceError, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::logs::{Events, listen};
use rmcp::{tool, tool_router};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{GUARD, Make, SECOND, TempFile, WITH_OWN, policy, variables};

struct Shop;

#[resilient]
#[tool_router]
impl Shop {
    /// Keeps answers.
    #[resilient(fallback = cached, cache(max = 10))]
    #[tool(annotations(read_only_hint = true))]
    async fn look_up(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Fails, at a breaker with a window.
    #[resilient(breaker(name = "shop", rate = 0.5, window = 4, min_calls = 4, open = "10s"))]
    #[tool]
    async fn fail(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }
}

/// Starts with this file and these variables.
fn start(file: &TempFile, pairs: &[(&str, &str)]) -> (Handle, Arc<Registry>) {
    let registry = Arc::new(Registry::new());
    let pairs: Vec<_> = [("RESILIENT_CONFIG", file.path())].into_iter().chain(pairs.iter().copied()).collect();
    let resilience = variables(&pairs).tools(Make::tool_router).tools(Shop::tool_router).guard(&GUARD).guard(&WITH_OWN);
    (resilience.start_with(&registry).expect("nothing is wrong"), registry)
}

fn rejected(handle: &Handle) -> Vec<String> {
    let invalid: InvalidSettings = handle.reload().expect_err("rejected");
    invalid.problems().to_vec()
}

fn changes(handle: &Handle) -> Vec<String> {
    let report = handle.reload().expect("nothing is wrong");
    assert_eq!(report.needs_restart, Vec::<String>::new());
    report.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn each_difference_is_reported_and_applies_at_once_and_what_is_gone_is_compiled_in_again() {
    let file = TempFile::new("");
    let (handle, registry) = start(&file, &[("RESILIENT__TOOL__RUN_SCENARIO__TIMEOUT", "9s")]);
    file.write(
        r#"
        [default]
        timeout = "11s"
        [tool.list_scenarios]
        retry = { base = "1s" }
        bulkhead = { max = 9, queue = 2 }
        rate_limit = "none"
        [breaker.make-eu]
        open = "5s"
        "#,
    );
    let expected = [
        "breaker make-eu: open 30s -> 5s",
        "describe: timeout 20s -> 11s",
        "fail: timeout 30s -> 11s",
        "guarded: timeout 30s -> 11s",
        "list_scenarios: timeout 20s -> 11s",
        "list_scenarios: retry.base 2s -> 1s",
        "list_scenarios: bulkhead.max 5 -> 9",
        "list_scenarios: bulkhead.queue 5 -> 2",
        "list_scenarios: rate_limit 10/1s -> none",
        "look_up: timeout 30s -> 11s",
        "with_own: timeout 30s -> 11s",
    ];
    assert_eq!(changes(&handle), expected);
    let list = policy(&registry, "list_scenarios");
    assert_eq!((list.policy.timeout, list.policy.rate_limit), (11 * SECOND, None));
    assert_eq!(list.breaker, Some(BreakerSettings::new().failures(7).open(5 * SECOND)));
    assert_eq!(policy(&registry, "run.scenario").policy.timeout, 9 * SECOND, "a variable takes precedence");
    assert_eq!(changes(&handle), Vec::<String>::new());
    file.write("");
    assert_eq!(changes(&handle).len(), expected.len());
    assert_eq!(policy(&registry, "list_scenarios").policy.timeout, 20 * SECOND);
}

#[test]
fn a_file_with_any_problem_changes_nothing_and_each_problem_has_its_line() {
    let file = TempFile::new("[default]\ntimeout = \"11s\"\n");
    let (handle, registry) = start(&file, &[]);
    let before = registry.policies();
    let path = file.path();
    for (text, expected) in [
        ("[default]\ntimeout = \"12s\"\ntimeout", format!("{path}:3:")),
        ("[default]\ntimeout = \"12s\"\nretries = 3", format!("{path}:3:1: `default.retries`: unknown key")),
        ("[default]\ntimeout = \"12s\"\n[tool.list_scenario]\ntimeout = \"1s\"", format!("{path}:3:")),
        ("[breaker.make]\nopen = \"1s\"", format!("{path}:1:")),
        ("[default]\ntimeout = \"12s\"\n\n[tool.list_scenarios]\nretry = { cap = \"1s\" }", format!("{path}:5:")),
        ("[breaker.make-eu]\nrate = 0.5", format!("{path}:2:")),
        ("[breaker.own]\nopen = \"1s\"", "the breaker `own` is a `static` of the code".into()),
    ] {
        file.write(text);
        let found = rejected(&handle);
        assert!(found.iter().any(|problem| problem.starts_with(&expected)), "{text}: {found:#?}");
        assert_eq!(registry.policies(), before, "{text}");
    }
    std::fs::remove_file(path).expect("it was there");
    assert!(rejected(&handle)[0].starts_with("RESILIENT_CONFIG: `"), "{:?}", rejected(&handle));
    assert_eq!(registry.policies(), before);
    file.write("[default]\ntimeout = \"12s\"");
    assert!(!changes(&handle).is_empty(), "and the next one applies");
}

#[test]
fn the_log_has_one_event_for_a_change_one_for_a_rejection_and_none_for_nothing() {
    let events = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    let seen = || -> Vec<_> { events.seen().into_iter().filter(|event| event.contains("settings.")).collect() };
    let file = TempFile::new("");
    let (handle, _) = start(&file, &[]);
    handle.reload().expect("nothing is wrong");
    file.write("# a comment");
    handle.reload().expect("nothing is wrong");
    assert_eq!(seen(), Vec::<String>::new());
    file.write("[tool.describe]\ntimeout = \"1s\"\n");
    handle.reload().expect("nothing is wrong");
    let changed = &seen()[0];
    assert!(changed.starts_with("INFO ") && changed.contains("event=\"settings.changed\""), "{changed}");
    assert!(changed.contains("changes=\"describe: timeout 20s -> 1s\""), "{changed}");
    file.write("[tool.describe]\ntimeout = \"1s\"\nfoo = 1\nbar = 2\n");
    rejected(&handle);
    let [_, rejected] = &*seen() else { panic!("{:?}", seen()) };
    assert!(rejected.starts_with("ERROR ") && rejected.contains("event=\"settings.rejected\""), "{rejected}");
    assert!(rejected.contains(&format!("{}:3:", file.path())), "{rejected}");
    assert!(rejected.contains(&format!("{}:4:", file.path())), "{rejected}");
}

#[test]
fn the_size_of_a_cache_needs_a_restart_and_the_rest_of_the_file_applies() {
    let file = TempFile::new("");
    let (handle, registry) = start(&file, &[]);
    file.write("[tool.look_up]\ntimeout = \"3s\"\ncache = { max = 20 }\n");
    for changes in [1, 0] {
        let report = handle.reload().expect("nothing is wrong");
        assert_eq!(report.needs_restart, ["look_up: cache.max 10 -> 20"], "as long as it differs");
        assert_eq!(report.changes.len(), changes);
    }
    let look_up = policy(&registry, "look_up").policy;
    assert_eq!((look_up.timeout, look_up.cache.map(|cache| cache.max)), (3 * SECOND, Some(10)));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_keeps_its_state_and_its_clock_and_a_changed_window_starts_its_counts_again() {
    let file = TempFile::new("");
    let (handle, registry) = start(&file, &[]);
    let fail = || registry.clone().scope(Shop.fail());
    let breaker = registry.breaker("shop").expect("it is bound");
    for _ in 0..3 {
        assert!(matches!(fail().await, Err(Failure::Down)));
    }
    assert_eq!(breaker.snapshot().window, Some((3, 3, 0)));
    file.write("[breaker.shop]\nrate = 0.6\n");
    changes(&handle);
    assert_eq!(breaker.snapshot().window, Some((3, 3, 0)), "the same window");
    file.write("[breaker.shop]\nwindow = 5\n");
    changes(&handle);
    assert_eq!(breaker.snapshot().window, Some((0, 0, 0)));
    for _ in 0..4 {
        let _ = fail().await;
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    tokio::time::advance(4 * SECOND).await;
    file.write("[breaker.shop]\nopen = \"2s\"\n");
    changes(&handle);
    assert_eq!((breaker.state(), breaker.remaining()), (BreakerState::Open, Some(6 * SECOND)));
    assert_eq!(breaker.snapshot().failures, 7);
    tokio::time::advance(7 * SECOND).await;
    assert!(matches!(fail().await, Err(Failure::Down)), "a probe");
    assert_eq!(breaker.remaining(), Some(2 * SECOND), "the next open period is the new one");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_is_switched_off_lets_calls_through_and_is_as_it_was_when_it_is_on_again() {
    let file = TempFile::new("");
    let (handle, registry) = start(&file, &[]);
    let fail = || registry.clone().scope(Shop.fail());
    for _ in 0..4 {
        let _ = fail().await;
    }
    assert!(matches!(fail().await, Err(Failure::Resilience(ResilienceError::CircuitOpen { .. }))));
    file.write("[breaker.shop]\nenabled = false\n");
    assert_eq!(changes(&handle), ["fail: breaker shop -> none"]);
    assert!(matches!(fail().await, Err(Failure::Down)));
    file.write("");
    assert_eq!(changes(&handle), ["fail: breaker none -> shop"]);
    assert!(matches!(fail().await, Err(Failure::Resilience(ResilienceError::CircuitOpen { .. }))));
}

#[tokio::test(start_paused = true)]
async fn the_file_is_looked_at_every_period_and_a_broken_one_is_reported_once() {
    let events = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(events.clone()));
    let file = TempFile::new("");
    let (handle, registry) = start(&file, &[]);
    // Reloads run on a thread for blocking work, which has no subscriber: the effects are seen in the policies.
    handle.reload_every(30 * SECOND).expect("there is a runtime");
    let timeout = || policy(&registry, "describe").policy.timeout;
    file.write("[tool.describe]\ntimeout = \"1s\"\n");
    tokio::time::sleep(29 * SECOND).await;
    assert_eq!(timeout(), 20 * SECOND);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(timeout(), SECOND);
    file.write("[tool.describe]\ntimeout = 1\n");
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(timeout(), SECOND);
    file.write("[tool.describe]\ntimeout = \"2s\"\n");
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(timeout(), 2 * SECOND);
    drop(handle.clone());
    handle.shutdown().await;
    file.write("");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(timeout(), 2 * SECOND, "nothing looks any more");
    assert_eq!(changes(&handle), ["describe: timeout 2s -> 20s"], "but a reload by hand works");
}

#[test]
fn outside_of_a_runtime_there_is_an_error_and_no_panic() {
    let (handle, _) = start(&TempFile::new(""), &[]);
    assert!(handle.reload_every(SECOND).is_err());
    #[cfg(unix)]
    assert!(handle.reload_on_hangup().is_err());
}

#[test]
fn without_a_file_there_is_nothing_to_reload() {
    let registry = Arc::new(Registry::new());
    let handle =
        variables(&[("RESILIENT__TOOL__DESCRIBE__TIMEOUT", "3s")]).tools(Make::tool_router).start_with(&registry);
    let report = handle.expect("nothing is wrong").reload().expect("nothing is wrong");
    assert_eq!((report.changes.len(), report.needs_restart.len()), (0, 0));
    assert_eq!(policy(&registry, "describe").policy.timeout, 3 * SECOND);
}
