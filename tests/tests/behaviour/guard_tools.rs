//! Guards for tools of another server count, and are gated, like the tools of this one.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::gate::Level;
use resilient_runtime::health::{Health, HealthStatus};
use resilient_runtime::policy::{BreakerUse, Effect, Retry};
use resilient_runtime::statistics::Rejected;
use resilient_runtime::{ErrorKind, Guard, Outcome, Policy, Registry, ResilienceError, resilient};

use super::error::Error;

fn tool(name: &'static str, policy: &Policy) -> Guard {
    Guard::checked(name, *policy).expect("a policy that can work").as_tool()
}

#[tokio::test(start_paused = true)]
async fn each_call_of_a_tool_of_another_server_counts_as_one_of_a_tool() {
    let registry = Arc::new(Registry::new());
    let policy = Policy::new().retry(Retry::new(2)).breaker(BreakerUse::named("files__read")).effect(Effect::ReadOnly);
    let read = tool("files/read", &policy);
    registry.clone().scope(async { read.bind() }).await;
    assert_eq!(registry.tool("files/read").expect("bound").calls(), 0);
    let failed = registry.clone().scope(read.call(|| async { Err::<(), _>(Error::Down) })).await;
    assert_eq!(failed, Err(Error::Down));
    let good = registry.clone().scope(read.call(|| async { Ok::<_, Error>(7) })).await;
    assert_eq!(good, Ok(7));
    let counted = registry.tool("files/read").expect("counted");
    assert_eq!((counted.calls(), counted.attempts, counted.retries, counted.in_flight), (2, 4, 2, 0));
    assert_eq!((counted.outcome(Outcome::Ok), counted.outcome(Outcome::Error)), (1, 1));
    assert_eq!(counted.durations().count(), 2);
    assert_eq!(
        counted.errors.iter().map(|error| (error.kind, error.count)).collect::<Vec<_>>(),
        [(ErrorKind::Unavailable, 1)]
    );
    assert!(registry.functions().is_empty());
    let recent: Vec<_> =
        registry.recent_errors().iter().map(|error| (error.tool.to_string(), error.attempts)).collect();
    assert_eq!(recent, [("files/read".to_owned(), 3)]);
    assert_eq!(registry.policies()[0].tool, Some("files/read"));
    let health = Health::of(&registry).report().await;
    let known: Vec<_> = health.tools.iter().map(|tool| (&*tool.tool, tool.status)).collect();
    assert_eq!(known, [("files/read", HealthStatus::Healthy)]);
}

static INNER: Guard = Guard::new("inner", Policy::new()).as_tool();

#[resilient(name = "outer")]
async fn outer() -> Result<u32, Error> {
    INNER.call(|| async { Err::<u32, _>(Error::Down) }).await
}

#[tokio::test(start_paused = true)]
async fn a_call_within_another_call_counts_in_full_as_well() {
    let registry = Arc::new(Registry::new());
    assert_eq!(registry.clone().scope(outer()).await, Err(Error::Down));
    let counted = registry.tool("inner").expect("counted");
    assert_eq!((counted.calls(), counted.durations().count(), registry.recent_errors().len()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_in_flight_is_one_of_the_tool_and_a_dropped_one_is_cancelled() {
    let registry = Arc::new(Registry::new());
    let slow = tool("slow", &Policy::new());
    {
        let mut call = Box::pin(registry.clone().scope(slow.call(pending::<Result<(), Error>>)));
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut call).await.is_err());
        assert_eq!(registry.tool("slow").expect("counted").in_flight, 1);
    }
    let counted = registry.tool("slow").expect("counted");
    assert_eq!((counted.in_flight, counted.outcome(Outcome::Cancelled)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_gate_decides_about_a_tool_of_another_server() {
    let registry = Arc::new(Registry::new());
    let (reads, writes) =
        (tool("gated/read", &Policy::new().effect(Effect::ReadOnly)), tool("gated/write", &Policy::new()));
    let call = |guard| {
        let registry = registry.clone();
        async move { registry.scope(Guard::call(guard, || async { Ok::<_, ResilienceError>(()) })).await }
    };
    assert_eq!((call(&reads).await, call(&writes).await), (Ok(()), Ok(())));
    registry.gate().switch_tool("gated/read", false).expect("a known tool");
    let refused = call(&reads).await.expect_err("off");
    assert_eq!(resilient_runtime::Classify::kind(&refused), ErrorKind::Disabled);
    assert_eq!(call(&writes).await, Ok(()));
    let counted = registry.tool("gated/read").expect("counted");
    assert_eq!((counted.outcome(Outcome::Rejected), counted.attempts, counted.in_flight), (1, 1, 0));
    assert_eq!(counted.rejected(Rejected::Disabled), 1);
    registry.gate().set_level(Some(Level::Emergency)).expect("a level");
    assert!(matches!(call(&writes).await, Err(ResilienceError::Refused { .. })));
    assert_eq!(registry.gate().state().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_tool_of_another_server_count_against_the_limit_of_the_level() {
    let registry = Arc::new(Registry::new());
    registry.gate().set_level(None).expect("no level");
    let slow = tool("gated/slow", &Policy::new());
    let mut call = Box::pin(registry.clone().scope(slow.call(pending::<Result<(), Error>>)));
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut call).await.is_err());
    assert_eq!(registry.gate().state().in_flight, 1);
    drop(call);
    assert_eq!(registry.gate().state().in_flight, 0);
}

#[test]
fn a_breaker_has_a_short_plain_name_while_a_guard_may_have_any() {
    let with = |name| Guard::checked("any text / at all", Policy::new().breaker(BreakerUse::named(name)));
    assert!(with("files__read").is_ok());
    assert!(with("files.read-1").is_ok());
    let refused = with("files/read").expect_err("a slash");
    assert_eq!(refused.problems()[0].path, "breaker.name");
}
