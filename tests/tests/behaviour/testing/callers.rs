//! The callers in a lab: principals, IDs, deadlines, cancellation.

use std::time::Duration;

use resilient_runtime::testing::{self, Chaos, Fault};
use resilient_runtime::{CallContext, Classify, ErrorKind, Outcome, ResilienceError, resilient};
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::text;
use rmcp::{tool, tool_router};
use serde_json::json;

use super::Error;
use super::refusal::refusal;

#[resilient(timeout = "20s")]
async fn who() -> Result<(String, String), ResilienceError> {
    let context = CallContext::current().expect("a call");
    assert_eq!(context.tool(), None);
    let principal = context.principal().map(|it| it.as_str().to_owned());
    Ok((principal.unwrap_or_default(), context.correlation_id().to_string()))
}

#[resilient(timeout = "20s", retry = 3, read_only)]
async fn hangs() -> Result<(), ResilienceError> {
    std::future::pending().await
}

#[resilient(rate_limit(rate = "1/1h", key = caller))]
async fn once_an_hour_each() -> Result<(), ResilienceError> {
    Ok(())
}

#[test]
fn a_caller_has_a_principal_and_an_id_that_the_body_finds() {
    testing::run(async |lab| {
        let alice = lab.caller().principal("alice").correlation_id("order-7");
        assert_eq!(alice.call(who()).await, Ok(("alice".into(), "order-7".into())));
        let unknown = who().await.expect("an answer");
        assert_eq!(unknown.0, "");
        assert_ne!(unknown.1, "order-7");
        lab.calls("who").assert_outcomes([(Outcome::Ok, 2)]);
    });
    assert!(refusal(|| testing::run(async |lab| drop(lab.caller().correlation_id("a b")))).message.contains("`a b`"));
}

#[test]
fn limits_by_caller_keep_the_callers_of_a_lab_apart() {
    testing::run(async |lab| {
        let (alice, bob) = (lab.caller().principal("alice"), lab.caller().principal("bob"));
        assert_eq!(alice.call(once_an_hour_each()).await, Ok(()));
        assert_eq!(bob.call(once_an_hour_each()).await, Ok(()));
        assert_eq!(alice.call(once_an_hour_each()).await.expect_err("the second").kind(), ErrorKind::Overloaded);
    });
}

#[test]
fn a_caller_that_cancels_ends_its_calls_at_once_and_no_others() {
    testing::run(async |lab| {
        let (alice, bob) = (lab.caller(), lab.caller());
        let gives_up = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            alice.cancel();
        };
        let (first, second, ()) = tokio::join!(lab.timed(alice.call(hangs())), lab.timed(bob.call(hangs())), gives_up);
        first.assert_took("3s");
        assert_eq!(first.answer, Err(ResilienceError::Cancelled));
        second.assert_took("20s");
        lab.calls("hangs").assert_outcomes([(Outcome::Cancelled, 1), (Outcome::Timeout, 1)]);
    });
}

#[test]
fn the_deadline_of_a_caller_ends_its_calls_before_their_own_timeout() {
    testing::run(async |lab| {
        let hurried = lab.caller().deadline("5s");
        lab.timed(hurried.call(hangs())).await.assert_took("5s");
    });
}

#[derive(Debug, Clone)]
struct Diary;

#[resilient]
#[tool_router(server_handler)]
impl Diary {
    /// Returns the reader; cached per principal.
    #[resilient(fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn read_diary(&self) -> Result<String, Error> {
        let context = CallContext::current();
        Ok(context.as_ref().and_then(CallContext::principal).map_or("nobody's", |it| it.as_str()).to_owned())
    }
}

#[test]
fn the_calls_of_a_client_over_mcp_come_from_the_principal_that_the_lab_sets() {
    testing::run(async |lab| {
        let client = connect(Diary).await;
        lab.set_principal(Some("alice"));
        assert_eq!(text(&call(&client, "read_diary", &json!({})).await), "alice");
        lab.inject(Chaos::new().on("read_diary", [Fault::error(ErrorKind::Unavailable)]));
        assert!(text(&call(&client, "read_diary", &json!({})).await).contains("alice"), "her own last answer");
        lab.set_principal(Some("bob"));
        let his = text(&call(&client, "read_diary", &json!({})).await);
        assert!(!his.contains("alice"), "{his}");
        lab.calls("read_diary").assert_outcomes([(Outcome::Ok, 1), (Outcome::Fallback, 1), (Outcome::Error, 1)]);
    });
}
