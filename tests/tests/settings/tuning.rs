//! Settings that can be changed at start, and the precedence of their sources.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::{BreakerSettings, KindSet, Retry};
use resilient_runtime::startup::{Handle, InvalidSettings};
use resilient_runtime::{ErrorKind, Registry};
use resilient_tests::failure::Failure;

use super::{GUARD, SECOND, TempFile, WITH_OWN, policy, problems, start, variables};

#[test]
fn nothing_set_leaves_everything_as_it_was_compiled_in() {
    let (started, registry) =
        start(&[("PATH", "/bin"), ("RESILIENT_HOME", "somebody else's"), ("RESILIENT_DISABLED", "0")]);
    started.expect("nothing is wrong");
    let list = policy(&registry, "list_scenarios");
    assert_eq!(list.policy.timeout, 20 * SECOND);
    assert_eq!(list.policy.retry, Some(Retry::new(3).base(2 * SECOND)));
    assert_eq!(list.breaker, Some(BreakerSettings::new().failures(7).open(30 * SECOND)));
}

#[test]
fn variables_tune_part_by_part() {
    let (started, registry) = start(&[
        ("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "5s"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RETRY__BASE", "250ms"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RETRY__ON", "timeout,connection"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__BULKHEAD", "none"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RATE_LIMIT__RATE", "3/1m"),
        ("RESILIENT__TOOL__RUN_SCENARIO__TIMEOUT", "9s"),
        ("RESILIENT__BREAKER__MAKE_EU__FAILURES", "9"),
    ]);
    started.expect("nothing is wrong");
    let list = policy(&registry, "list_scenarios");
    assert_eq!(list.policy.timeout, 5 * SECOND);
    let retry = list.policy.retry.expect("a retry");
    let on = KindSet::EMPTY.with(ErrorKind::Timeout).with(ErrorKind::Connection);
    assert_eq!((retry.max, retry.base, retry.on), (3, Duration::from_millis(250), on));
    assert_eq!(list.policy.bulkhead, None);
    assert_eq!(list.policy.rate_limit.map(|limit| limit.settings.rate.calls), Some(3));
    assert_eq!(policy(&registry, "run.scenario").policy.timeout, 9 * SECOND);
    assert_eq!(list.breaker, Some(BreakerSettings::new().failures(9).open(30 * SECOND)));
}

#[test]
fn a_variable_is_stronger_than_the_file_and_a_tool_than_the_default() {
    let file = TempFile::new(
        r#"
        [default]
        timeout = "11s"
        retry = { max = 1 }
        [tool."run.scenario"]
        timeout = "12s"
        [breaker.make-eu]
        open = "5s"
        "#,
    );
    let (started, registry) = start(&[
        ("RESILIENT_CONFIG", file.path()),
        ("RESILIENT__DEFAULT__ATTEMPT_TIMEOUT", "3s"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RETRY", "2"),
    ]);
    started.expect("nothing is wrong");
    let (list, run) = (policy(&registry, "list_scenarios").policy, policy(&registry, "run.scenario"));
    assert_eq!((list.timeout, list.retries(), list.attempt_timeout), (11 * SECOND, 2, Some(3 * SECOND)));
    // A key that applies to all tools only affects those that have it.
    assert_eq!((run.policy.timeout, run.policy.retries(), run.policy.attempt_timeout), (12 * SECOND, 0, None));
    assert_eq!(run.breaker, Some(BreakerSettings::new().failures(7).open(5 * SECOND)));
}

#[tokio::test]
async fn a_breaker_that_no_code_sets_is_tuned_from_its_defaults() {
    let registry = Arc::new(Registry::new());
    let pairs = [("RESILIENT__BREAKER__NAMED_ONLY__FAILURES", "2"), ("RESILIENT__BREAKER__NAMED_ONLY__OPEN", "2s")];
    variables(&pairs).guard(&GUARD).start_with(&registry).expect("nothing is wrong");
    let expected = BreakerSettings::new().failures(2).open(2 * SECOND);
    assert_eq!(registry.policies()[0].breaker, Some(expected));
    for _ in 0..2 {
        let failing = || async { Err::<(), _>(Failure::Down) };
        let _ = registry.clone().scope(async { GUARD.call(failing).await }).await;
    }
    assert_eq!(registry.breaker("named-only").expect("bound").state(), BreakerState::Open);

    let refused =
        variables(&[("RESILIENT__BREAKER__NAMED_ONLY__OPEN", "1ms")]).guard(&GUARD).start_with(&Arc::default());
    assert_eq!(refused.expect_err("refused").problems().len(), 1);
}

#[test]
fn of_a_static_breaker_only_whether_it_is_there_can_be_set() {
    let pairs = |key: &'static str, value: &'static str| -> (Result<Handle, InvalidSettings>, Arc<Registry>) {
        let registry = Arc::new(Registry::new());
        (variables(&[(key, value)]).guard(&WITH_OWN).start_with(&registry), registry)
    };
    let (started, registry) = pairs("RESILIENT__BREAKER__OWN__ENABLED", "false");
    started.expect("nothing is wrong");
    assert!(registry.breakers().is_empty());
    let reported = pairs("RESILIENT__BREAKER__OWN__OPEN", "5s").0.expect_err("refused");
    assert_eq!(
        reported.problems(),
        ["the breaker `own` is a `static` of the code; of its settings only `enabled` can be changed"]
    );
}

#[test]
fn a_stronger_value_begins_where_a_weaker_one_took_everything_away() {
    let file = TempFile::new("[default]\nretry = \"none\"\n");
    let (started, registry) = start(&[
        ("RESILIENT_CONFIG", file.path()),
        ("RESILIENT__DEFAULT__BREAKER", "none"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__RETRY__MAX", "2"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__BREAKER", "make-eu"),
    ]);
    started.expect("nothing is wrong");
    let list = policy(&registry, "list_scenarios").policy;
    assert_eq!(list.retry, Some(Retry::new(2).base(2 * SECOND)));
    assert_eq!(list.breaker.map(|breaker| breaker.name), Some("make-eu"));
    assert_eq!(policy(&registry, "run.scenario").policy.breaker, None);
}

#[test]
fn how_many_keys_are_distinguished_is_tuned_like_any_other_part() {
    let file = TempFile::new("[tool.list_scenarios]\nbulkhead = { max_keys = 7 }\n[breaker.make-eu]\nmax_keys = 8\n");
    let (started, registry) =
        start(&[("RESILIENT_CONFIG", file.path()), ("RESILIENT__TOOL__LIST_SCENARIOS__RATE_LIMIT__MAX_KEYS", "9")]);
    started.expect("nothing is wrong");
    let list = policy(&registry, "list_scenarios");
    assert_eq!(list.policy.bulkhead.expect("a bulkhead").settings.max_keys, 7);
    assert_eq!(list.breaker.expect("a breaker").max_keys, 8);
    assert_eq!(list.policy.rate_limit.expect("a limit").settings.max_keys, 9);
    assert_eq!(
        problems(&[("RESILIENT__TOOL__LIST_SCENARIOS__RATE_LIMIT__MAX_KEYS", "0")]),
        ["RESILIENT__TOOL__LIST_SCENARIOS__RATE_LIMIT__MAX_KEYS: `rate_limit.max_keys`: expected 1 to \
          100000, found 0"]
    );
}

#[test]
fn a_variable_tunes_the_timeout_that_the_hook_enforces_and_adds_no_other_key() {
    let (started, registry) = start(&[("RESILIENT__TOOL__DESCRIBE__TIMEOUT", "3s")]);
    started.expect("nothing is wrong");
    let describe = policy(&registry, "describe");
    assert_eq!((describe.policy.timeout, describe.policy.breaker), (3 * SECOND, None));
    let (refused, _) = start(&[("RESILIENT__TOOL__DESCRIBE__RETRY__MAX", "2")]);
    let problems = refused.expect_err("refused");
    assert!(problems.to_string().contains("RESILIENT__TOOL__DESCRIBE__RETRY__MAX"), "{problems}");
}
