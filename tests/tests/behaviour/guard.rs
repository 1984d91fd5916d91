//! Guards and breakers in plain code behave like the attribute.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::error::LimitKind;
use resilient_runtime::policy::{BreakerSettings, BreakerUse, BulkheadSettings, BulkheadUse, KindSet, Retry};
use resilient_runtime::{Breaker, ErrorKind, Guard, Outcome, Policy, Registry, ResilienceError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::Error;

static SHOP: Guard = Guard::new(
    "guarded-shop",
    Policy::new().timeout(Duration::from_secs(20)).retry(Retry::new(2).jitter(resilient_runtime::policy::Jitter::Off)),
);

#[tokio::test(start_paused = true)]
async fn a_policy_in_plain_code_retries_as_the_attribute_does() {
    let registry = Arc::new(Registry::new());
    let attempts = Cell::new(0);
    let started = Instant::now();
    let answer = registry
        .clone()
        .scope(SHOP.call(|| async {
            attempts.set(attempts.get() + 1);
            if attempts.get() < 3 { Err(Error::Down) } else { Ok(attempts.get()) }
        }))
        .await;
    assert_eq!((answer, started.elapsed()), (Ok(3), Duration::from_secs(3)));
    let read = registry.function("guarded-shop").expect("bound");
    assert_eq!((read.outcome(Outcome::Ok), read.retries, read.in_flight), (1, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_guard_made_at_run_time_needs_no_static() {
    let policy = Policy::new().timeout(Duration::from_secs(2));
    let guard = Guard::checked("made", policy).expect("a policy that can work");
    let answer: Result<(), Error> = guard.call(std::future::pending).await;
    assert_eq!(answer.expect_err("a timeout").kind_name(), "timeout");
    let answer: Result<(), Error> = guard.call(|| async { panic!("on purpose") }).await;
    assert_eq!(answer, Err(Error::Resilience(ResilienceError::Panicked)));
}

#[test]
fn a_policy_that_cannot_work_is_refused_with_all_that_is_wrong() {
    let policy = Policy::new().timeout(Duration::ZERO).retry(Retry::new(0).budget(2.0));
    let refused = Guard::checked("broken", policy).expect_err("three mistakes");
    let paths: Vec<_> = refused.problems().iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["timeout", "retry.max", "retry.budget"]);
    assert!(
        refused.to_string().starts_with("the policy of `broken` cannot work; timeout: expected between 1ms and 24h")
    );
}

#[test]
fn what_a_retry_only_makes_worse_cannot_be_retried() {
    let on = KindSet::RETRYABLE.with(ErrorKind::CircuitOpen);
    let refused = Guard::checked("again", Policy::new().retry(Retry::new(1).on(on))).expect_err("a mistake");
    assert_eq!(refused.problems()[0].to_string(), "retry.on: an error of kind `circuit_open` cannot be retried");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_guards_plain_futures() {
    let breaker = Breaker::new("plain", BreakerSettings::new().failures(2).open(Duration::from_secs(1)));
    for _ in 0..2 {
        assert_eq!(breaker.call(async { Err::<(), _>(Error::Down) }).await, Err(Error::Down));
    }
    let rejected = breaker.call(async { Ok::<_, Error>(()) }).await.expect_err("open");
    assert_eq!(rejected.kind_name(), "circuit_open");
    tokio::time::advance(Duration::from_secs(1)).await;
    for _ in 0..2 {
        breaker.try_acquire().expect("a probe").success();
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

static TENANTS: Guard = Guard::new(
    "guarded-tenants",
    Policy::new()
        .timeout(Duration::from_secs(20))
        .breaker(BreakerUse::with("guarded-tenants", BreakerSettings::new().failures(1))),
);

#[tokio::test(start_paused = true)]
async fn each_key_of_a_guard_has_a_breaker_for_itself() {
    let ask = |tenant: u32, answer: Result<(), Error>| {
        TENANTS.with().breaker_key(&tenant).call(move || std::future::ready(answer.clone()))
    };
    assert_eq!(ask(1, Err(Error::Down)).await, Err(Error::Down));
    assert_eq!(ask(1, Ok(())).await.expect_err("its breaker is open").kind_name(), "circuit_open");
    assert_eq!(ask(2, Ok(())).await, Ok(()));
}

static SLOTS: Guard = Guard::new(
    "guarded-slots",
    Policy::new().timeout(Duration::from_secs(20)).bulkhead(BulkheadUse::new(BulkheadSettings::new(1).max_keys(2))),
);

#[tokio::test(start_paused = true)]
async fn each_key_of_a_guard_has_a_bulkhead_for_itself() {
    let registry = Arc::new(Registry::new());
    let ask = |tenant: &'static str, seconds| {
        SLOTS.with().bulkhead_key(tenant).call(move || async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<_, Error>(tenant)
        })
    };
    let calls =
        async { tokio::join!(ask("a", 2), ask("a", 1), ask("b", 2), SLOTS.call(|| async { Ok::<_, Error>("c") })) };
    let (first, second, other, plain) = registry.scope(calls).await;
    assert_eq!((first, other, plain), (Ok("a"), Ok("b"), Ok("c")));
    let Err(Error::Resilience(full)) = second else { panic!("its slot is taken") };
    assert!(matches!(full, ResilienceError::Overloaded { limit: LimitKind::Bulkhead, .. }), "{full:?}");
}

static FEW: Guard = Guard::new(
    "guarded-few",
    Policy::new()
        .timeout(Duration::from_secs(20))
        .breaker(BreakerUse::with("guarded-few", BreakerSettings::new().failures(1).max_keys(2)))
        .bulkhead(BulkheadUse::new(BulkheadSettings::new(1).max_keys(2))),
);

#[tokio::test(start_paused = true)]
async fn how_many_keys_have_a_breaker_or_a_bulkhead_of_their_own_can_be_set() {
    let registry = Arc::new(Registry::new());
    let ask = |tenant: u32| FEW.with().breaker_key(&tenant).call(|| async { Err::<(), _>(Error::Down) });
    let asked = async {
        for tenant in [1, 2, 3] {
            assert_eq!(ask(tenant).await, Err(Error::Down), "{tenant}");
        }
        assert_eq!(ask(4).await.expect_err("that of the third").kind_name(), "circuit_open");
        let hold = |tenant: u32| {
            FEW.with().bulkhead_key(&tenant).call(|| async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok::<_, Error>(())
            })
        };
        let (first, second, third, fourth) = tokio::join!(hold(1), hold(2), hold(3), hold(4));
        assert_eq!((first, second, third), (Ok(()), Ok(()), Ok(())));
        assert_eq!(fourth.expect_err("the third has the slot of all others").kind_name(), "overloaded");
    };
    registry.scope(asked).await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_ends_its_call_when_its_token_is_cancelled_and_gives_everything_back() {
    let registry = Arc::new(Registry::new());
    let token = CancellationToken::new();
    let started = Instant::now();
    let call = TENANTS.with().cancelled_by(token.clone()).call(std::future::pending::<Result<(), Error>>);
    let gives_up = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        token.cancel();
    };
    let (ended, ()) = tokio::join!(registry.clone().scope(call), gives_up);
    assert_eq!(
        (ended, started.elapsed()),
        (Err(Error::Resilience(ResilienceError::Cancelled)), Duration::from_secs(2))
    );
    let read = registry.function("guarded-tenants").expect("bound");
    assert_eq!((read.outcome(Outcome::Cancelled), read.in_flight), (1, 0));
    assert_eq!(registry.breaker("guarded-tenants").expect("bound").snapshot().neutral, 1);
}
