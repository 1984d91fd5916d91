//! Contradictions within the code that are reported at start.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::policy::{BreakerSettings, BreakerUse, RateLimitSettings, RateLimitUse};
use resilient_runtime::{Guard, Policy, Registry, ResilienceError, resilient};
use rmcp::{tool, tool_router};

use super::{WITH_OWN, variables};

struct Colliding;

#[resilient]
#[tool_router]
impl Colliding {
    /// Reads.
    #[tool(name = "a-b")]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[tool(name = "a.b")]
    async fn two(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[test]
fn names_that_become_one_variable_are_refused() {
    let started = variables(&[]).tools(Colliding::tool_router).start_with(&Arc::default());
    assert_eq!(
        started.expect_err("refused").problems(),
        ["the tools `a-b` and `a.b` would both be `A_B` in a variable; rename one of them"]
    );
}

struct Differing;

#[resilient(breaker(name = "shared", failures = 3))]
#[tool_router(router = first)]
impl Differing {
    /// Reads.
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[resilient(breaker(name = "shared", failures = 4, open = "5s"))]
#[tool_router(router = second)]
impl Differing {
    /// Reads.
    #[resilient(bulkhead(max = 3, name = "both"))]
    #[tool]
    async fn two(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[resilient(bulkhead(max = 4, name = "both"))]
    #[tool]
    async fn three(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[test]
fn one_name_with_two_settings_is_refused_naming_both_places() {
    let started = variables(&[]).tools(Differing::first).tools(Differing::second).start_with(&Arc::default());
    let reported = started.expect_err("refused").problems().to_vec();
    for line in reported.iter().filter(|line| line.contains("the breaker `shared`")) {
        assert!(line.contains("`failures` 3, not 4; `open` 1m, not 5s"), "{line}");
        assert_eq!(line.matches("tests/settings/contradictions.rs:").count(), 2, "{line}");
    }
    assert!(
        reported.iter().any(|line| line.contains("the bulkhead `both`") && line.contains("`max` 3, not 4")),
        "{reported:?}"
    );
}

struct Replicated;

#[resilient]
#[tool_router]
impl Replicated {
    /// Reads.
    #[resilient(rate_limit(rate = "5/1s", name = "by-replicas", distributed), breaker(name = "told", distributed))]
    #[tool]
    async fn of_all(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[resilient(rate_limit(rate = "5/1s", name = "by-replicas", key = caller, distributed), breaker = "told")]
    #[tool]
    async fn of_each_caller(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[resilient(rate_limit(rate = "5/1s", name = "by-replicas"))]
    #[tool]
    async fn of_one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[resilient(rate_limit(rate = "6/1s", name = "by-replicas"))]
    #[tool]
    async fn of_one_and_faster(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[test]
fn a_limit_is_distributed_in_every_place_or_in_none_and_a_breaker_in_any() {
    let started = variables(&[]).tools(Replicated::tool_router).start_with(&Arc::default());
    let mut reported = started.expect_err("refused").problems().to_vec();
    reported.retain(|line| line.contains("has other settings"));
    assert_eq!(reported.len(), 2, "{reported:?}");
    for (line, expected) in reported.iter().zip([
        ": `distributed` only there; write them in one place",
        ": `rate` 5/1s, not 6/1s; `distributed` only there; write them in one place",
    ]) {
        assert!(
            line.contains("the rate limit `by-replicas` has other settings at") && line.ends_with(expected),
            "{line}"
        );
    }
}

#[test]
fn a_guard_whose_limit_has_no_name_cannot_share_it_with_replicas() {
    const LIMIT: RateLimitUse = RateLimitUse::new(RateLimitSettings::new(5, Duration::from_secs(1))).distributed();
    static NAMELESS: Guard = Guard::new("nameless", Policy::new().rate_limit(LIMIT));
    let started = variables(&[]).guard(&NAMELESS).start_with(&Arc::default());
    let reported = started.expect_err("refused").problems().to_vec();
    let expected = "rate_limit.distributed: replicas find the limit that they share by its name; add";
    assert!(reported.iter().any(|line| line.contains("`nameless`") && line.contains(expected)), "{reported:?}");
    assert!(Guard::checked("named", Policy::new().rate_limit(LIMIT.named("guarded"))).is_ok());
}

static NAMED_LIKE_OWN: Guard = Guard::new("named_like_own", Policy::new().breaker(BreakerUse::named("own")));

#[test]
fn two_breakers_of_one_name_are_refused() {
    let started = variables(&[]).guard(&WITH_OWN).guard(&NAMED_LIKE_OWN).start_with(&Arc::default());
    let reported = started.expect_err("refused");
    assert!(
        reported.problems()[0].starts_with("the breaker `own` is a `static` in one place and another one"),
        "{reported}"
    );
}

struct Shared;

#[resilient]
#[tool_router]
impl Shared {
    /// Reads.
    #[resilient(bulkhead(max = 1, name = "both"), rate_limit(rate = "1/1h", name = "limit"))]
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[resilient(bulkhead(max = 1, name = "both"), rate_limit(rate = "1/1h", name = "limit"))]
    #[tool]
    async fn two(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[test]
fn a_limit_that_is_shared_is_set_for_all_or_for_none() {
    let start = |pairs: &[(&str, &str)]| variables(pairs).tools(Shared::tool_router).start_with(&Arc::default());
    let reported =
        start(&[("RESILIENT__TOOL__TWO__BULKHEAD__MAX", "50"), ("RESILIENT__TOOL__TWO__RATE_LIMIT", "100/1s")]);
    let reported = reported.expect_err("refused");
    assert_eq!(reported.problems().len(), 2, "{reported}");
    assert!(reported.problems()[0].starts_with("the bulkhead `both` is shared, and `two` was set"), "{reported}");
    start(&[("RESILIENT__DEFAULT__BULKHEAD__MAX", "50")]).expect("all have the same");
}

#[test]
fn a_breaker_and_the_policies_that_name_it_suit_each_other() {
    static SLOW: Guard = Guard::new(
        "slow",
        Policy::new().breaker(BreakerUse::with("suits", BreakerSettings::new().slow(Duration::from_secs(3)))),
    );
    static NAMING: Guard =
        Guard::new("naming", Policy::new().attempt_timeout(Duration::from_secs(9)).breaker(BreakerUse::named("suits")));
    let start = |pairs: &[(&str, &str)]| {
        variables(pairs)
            .guard(&SLOW)
            .guard(&NAMING)
            .start_with(&Arc::default())
            .map(drop)
            .map_err(|reported| reported.problems().to_vec())
    };
    assert_eq!(start(&[]), Ok(()));
    let reported = start(&[("RESILIENT__BREAKER__SUITS__SLOW", "20s")]).expect_err("refused");
    assert_eq!(
        reported,
        ["RESILIENT__BREAKER__SUITS__SLOW: `naming: breaker.slow`: no attempt takes 20s: it is cut off after 9s"]
    );
}

#[test]
fn one_contradiction_of_a_block_is_reported_once() {
    let started = variables(&[]).tools(Differing::first).tools(Differing::second).start_with(&Arc::default());
    let reported = started.expect_err("refused").problems().to_vec();
    assert_eq!(reported.iter().filter(|line| line.contains("the breaker `shared`")).count(), 1, "{reported:?}");
}

#[resilient(name = "unrelated-to-any-start")]
async fn unrelated() -> Result<(), ResilienceError> {
    Ok(())
}

static ONE_LIMIT: Guard = Guard::new(
    "one-limit",
    Policy::new().breaker(BreakerUse::with("start-shared", BreakerSettings::new().failures(2))),
);
static ANOTHER_LIMIT: Guard = Guard::new(
    "another-limit",
    Policy::new().breaker(BreakerUse::with("start-shared", BreakerSettings::new().failures(3))),
);

#[tokio::test]
async fn a_start_without_settings_gives_the_same_report_whether_or_not_something_was_called_before() {
    let report = |registry: &Arc<_>| {
        let started = variables(&[]).guard(&ONE_LIMIT).guard(&ANOTHER_LIMIT).start_with(registry);
        started.expect_err("two limits of one breaker").problems().to_vec()
    };
    let first_of_all = report(&Arc::default());
    assert!(first_of_all[0].contains("the breaker `start-shared` has other settings"), "{first_of_all:?}");

    let registry = Arc::new(Registry::new());
    registry.clone().scope(unrelated()).await.expect("an answer");
    assert_eq!(report(&registry), first_of_all);

    let registry = Arc::new(Registry::new());
    let _: Result<(), ResilienceError> = registry.clone().scope(ONE_LIMIT.call(|| async { Ok(()) })).await;
    assert_eq!(report(&registry), first_of_all, "one of the two was called before");
}
