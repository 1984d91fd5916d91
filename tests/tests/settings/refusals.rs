//! Settings that are rejected at start, with all their mistakes in one message.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::{Guard, Policy, Registry, ResilienceError};

use super::{GUARD, SECOND, TempFile, problems, start, variables};

#[test]
fn all_problems_are_in_one_report() {
    let file =
        TempFile::new("[tool.list_scenario]\ntimeout = \"1s\"\n[breaker.make]\n[profile.x]\n[default]\ntimeot = 1\n");
    let path = file.path();
    let reported = problems(&[
        ("RESILIENT_CONFIG", path),
        ("RESILIENT_DISABELD", "1"),
        ("RESILIENT__TOL__X__TIMEOUT", "1s"),
        ("RESILIENT__TOOL__LIST_SCENARIO__TIMEOUT", "1s"),
        ("RESILIENT__TOOL__LIST_SCENARIOS", "1s"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "5"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOT", "5s"),
        ("RESILIENT__TOOL__RUN_SCENARIO__RETRY", "2"),
        ("RESILIENT__TOOL__NOW__TIMEOUT", "2s"),
        ("RESILIENT__BREAKER__MAKE__ENABLED", "false"),
        ("RESILIENT__BREAKER__MAKE_EU__RATE", "0.5"),
    ]);
    let expected = [
        "RESILIENT_DISABELD: unknown variable; did you mean `RESILIENT_DISABLED`?".to_owned(),
        "RESILIENT__TOL__X__TIMEOUT: `TOL` is nothing that can be set; did you mean `TOOL`?".into(),
        "RESILIENT__TOOL__LIST_SCENARIOS: expected a name and a key: `RESILIENT__TOOL__NAME__TIMEOUT`".into(),
        format!("{path}:6:1: `default.timeot`: unknown key `timeot`; did you mean `timeout`?"),
        "RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT: `timeout`: `5` has no unit; write `\"5s\"` or `\"5ms\"`".into(),
        "RESILIENT__BREAKER__MAKE_EU__RATE: `breaker make-eu: rate`: this breaker counts failures in a row, as the \
         code says; tune `failures`"
            .into(),
        "RESILIENT__TOOL__RUN_SCENARIO__RETRY: `run.scenario: retry`: the code does not have this key; a setting can \
         tune or disable what was compiled in, not add to it"
            .into(),
        format!("{path}:1:7: no tool `list_scenario`; did you mean `list_scenarios`?"),
        format!("{path}:4:10: no profile `x`; none is known here"),
        format!("{path}:3:10: no breaker `make`; did you mean `make-eu`?"),
        "RESILIENT__BREAKER__MAKE__ENABLED: no breaker `MAKE`; did you mean `MAKE_EU`?".into(),
        "RESILIENT__TOOL__LIST_SCENARIOS__TIMEOT: `tool.list_scenarios.timeot`: unknown key `timeot`; did you mean \
         `timeout`?"
            .into(),
        "RESILIENT__TOOL__NOW__TIMEOUT: `tool.now.timeout`: nothing is known of the policy of `now` before its first \
         call, so nothing can be set; put `#[resilient]` on its block"
            .into(),
        "RESILIENT__TOOL__LIST_SCENARIO__TIMEOUT: no tool `LIST_SCENARIO`; did you mean `LIST_SCENARIOS`?".into(),
    ];
    let mut sorted = (reported.clone(), expected.to_vec());
    sorted.0.sort();
    sorted.1.sort();
    assert_eq!(sorted.0, sorted.1);
    let report = start(&[("RESILIENT_DISABELD", "1")]).0.expect_err("refused").to_string();
    assert_eq!(
        report,
        "1 problem in the settings:\n  RESILIENT_DISABELD: unknown variable; did you mean `RESILIENT_DISABLED`?"
    );
}

#[test]
fn the_rules_of_the_attribute_hold_at_start() {
    assert_eq!(
        problems(&[("RESILIENT__DEFAULT__TIMEOUT", "25h")]),
        ["RESILIENT__DEFAULT__TIMEOUT: `timeout`: expected between 1ms and 24h, found 25h"]
    );
    let reported = problems(&[("RESILIENT__TOOL__LIST_SCENARIOS__ATTEMPT_TIMEOUT", "20s")]);
    assert_eq!(reported.len(), 1);
    assert!(reported[0].contains("the first attempt can use the whole timeout"), "{reported:?}");
    let reported = problems(&[("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "2s")]);
    assert_eq!(reported.len(), 1, "{reported:?}");
    let said = "RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT: `list_scenarios: retry.max`: retry 3 can never start";
    assert!(reported[0].starts_with(said), "{reported:?}");
    let reported = problems(&[("RESILIENT__BREAKER__MAKE_EU__OPEN", "1ms")]);
    assert_eq!(
        reported,
        ["RESILIENT__BREAKER__MAKE_EU__OPEN: `breaker.open`: expected between 100ms and 24h, found 1ms"]
    );
}

#[tokio::test]
async fn settings_that_come_too_late_are_refused() {
    let registry = Arc::new(Registry::new());
    let _: Result<(), ResilienceError> = registry.clone().scope(async { GUARD.call(|| async { Ok(()) }).await }).await;
    variables(&[]).guard(&GUARD).start_with(&registry).expect("there is nothing to set");
    let reported = variables(&[("RESILIENT_DISABLED", "1")]).guard(&GUARD).start_with(&registry).expect_err("refused");
    assert!(reported.problems()[0].starts_with("`guarded` was guarded before the settings were read"), "{reported}");
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    let reported = problems(&[("RESILIENT_CONFIG", "/nowhere/at/all.toml")]);
    assert!(reported[0].starts_with("RESILIENT_CONFIG: `/nowhere/at/all.toml` cannot be read:"), "{reported:?}");
}

#[test]
fn what_nobody_reads_is_checked_all_the_same() {
    let alone = |pairs: &[(&str, &str)]| {
        let refused = variables(pairs).breaker("x").start_with(&Arc::default()).expect_err("refused");
        refused.problems().to_vec()
    };
    assert_eq!(alone(&[("RESILIENT__DEFAULT__TIMEOUT", "banana"), ("RESILIENT__DEFAULT__TIMEOT", "3s")]).len(), 2);
    assert_eq!(alone(&[("RESILIENT__BREAKER__X__FAILURES", "0"), ("RESILIENT__BREAKER__X__RATE", "7")]).len(), 2);
    let file = TempFile::new("[breaker.x]\nfailures = 0\nrate = 7.0\n[default]\nretry = { max = 99, factor = 0.1 }\n");
    assert_eq!(alone(&[("RESILIENT_CONFIG", file.path())]).len(), 4);
}

#[test]
fn a_likely_slip_is_reported_and_what_is_somebody_elses_is_left_alone() {
    for (slip, meant) in [
        ("RESILIENT_TOOL__LIST_SCENARIOS__TIMEOUT", "RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT"),
        ("RESILIENT_DEFAULT_TIMEOUT", "RESILIENT__DEFAULT__TIMEOUT"),
        ("RESILIENT__DISABLED", "RESILIENT_DISABLED"),
    ] {
        assert_eq!(problems(&[(slip, "1")]), [format!("{slip}: unknown variable; did you mean `{meant}`?")]);
    }
    assert_eq!(
        problems(&[("RESILIENT__TOOL__list_scenarios__TIMEOUT", "2s")]),
        ["RESILIENT__TOOL__list_scenarios__TIMEOUT: names are written in capitals: \
             `RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT`"]
    );
    start(&[("RESILIENTLY", "1"), ("RESILIENT_HOME", "x")]).0.expect("nothing is ours");
}

#[tokio::test]
async fn what_was_refused_is_not_used_by_what_is_called_later() {
    static LATER: Guard = Guard::new("later", Policy::new().timeout(Duration::from_secs(9)));
    let registry = Arc::new(Registry::new());
    let pairs = [("RESILIENT__DEFAULT__TIMEOUT", "8s"), ("RESILIENT__TOOL__NOBODY__TIMEOUT", "1s")];
    variables(&pairs).start_with(&registry).expect_err("refused");
    let _: Result<(), ResilienceError> = registry.clone().scope(async { LATER.call(|| async { Ok(()) }).await }).await;
    assert_eq!(registry.policies()[0].policy.timeout, 9 * SECOND);
}

static BROKEN: Guard = Guard::new("guarded-broken", Policy::new().timeout(Duration::ZERO));

#[test]
fn a_static_guard_whose_policy_breaks_a_rule_is_refused_at_start() {
    let report = variables(&[]).guard(&BROKEN).start_with(&Arc::default()).expect_err("a rule");
    let text = "the guard `guarded-broken`: timeout: expected between 1ms and 24h";
    assert!(report.problems()[0].contains(text), "{report}");
}
