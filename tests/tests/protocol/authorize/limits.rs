//! The time of an authorization, its panics, its cancellation, what is counted, and the gate.

use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_runtime::gate::Level;
use resilient_runtime::statistics::Rejected;
use resilient_runtime::{CallContext, Outcome, Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{request, with_meta};
use resilient_tests::logs::{Events, listen};
use resilient_tests::wire::{CALL, error, meta, text};
use rmcp::model::{ClientRequest, JsonObject, Request};
use rmcp::service::{PeerRequestOptions, RequestContext};
use rmcp::{RoleServer, tool, tool_router};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Authenticated, Refused, Wiki, call, connect};

#[tokio::test(start_paused = true)]
async fn the_time_of_the_function_is_part_of_the_timeout() {
    let wiki = Wiki::default();
    let client = connect(wiki.clone()).await;
    let slow = [("token", "slow")];
    let begun = Instant::now();
    let answer = call(&client, "wiki_hangs", &slow).await;
    assert!(text(&answer).starts_with("instead"), "a fallback has its own time: {answer:?}");
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(meta(&answer, CALL)["reason"], "timeout");
    let begun = Instant::now();
    let answer = call(&client, "wiki_text", &slow).await;
    assert_eq!((error(&answer)["kind"].clone(), begun.elapsed().as_secs()), (json!("timeout"), 5));
    let begun = Instant::now();
    for tool in ["wiki_read", "wiki_text"] {
        let answer = call(&client, tool, &[("token", "hangs")]).await;
        let answered = error(&answer);
        assert_eq!((&answered["kind"], &answered["details"]["limit_ms"]), (&json!("timeout"), &json!(5_000)), "{tool}");
        assert!(!text(&answer).contains("may have taken effect"), "{}", text(&answer));
    }
    assert_eq!(begun.elapsed().as_secs(), 10);
    let begun = Instant::now();
    for tool in ["wiki_sync", "wiki_skips"] {
        assert_eq!(error(&call(&client, tool, &[("token", "hangs")]).await)["kind"], "timeout", "{tool}");
    }
    assert_eq!(begun.elapsed().as_secs(), 60, "without a policy, 30 s each");
    assert_eq!(wiki.runs.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_function_is_answered_and_the_session_lives_on() {
    let wiki = Wiki::default();
    let client = connect(wiki.clone()).await;
    let answer = call(&client, "wiki_sync", &[("token", "panics")]).await;
    assert_eq!(error(&answer)["kind"], "internal");
    assert!(!format!("{answer:?}").contains("private"), "{answer:?}");
    assert_eq!(call(&client, "wiki_sync", &[]).await.is_error, Some(false));
    assert_eq!(wiki.runs.load(Ordering::Relaxed), 1);
}

/// A server whose tools are in no other test, for what is counted.
#[derive(Debug, Clone, Default)]
struct Counted(Wiki);

impl Counted {
    async fn check(&self, request: &RequestContext<RoleServer>, arguments: &JsonObject) -> Result<(), Refused> {
        self.0.check(request, arguments).await
    }
}

#[resilient(authorize = Self::check, breaker(name = "counted-wiki", failures = 1), rate_limit = "1/1h")]
#[tool_router(server_handler)]
impl Counted {
    /// Is called once.
    #[tool(annotations(read_only_hint = false))]
    async fn counted_write(&self) -> Result<String, Failure> {
        assert!(CallContext::current().is_some());
        Ok("written".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_in_the_errors_and_the_log_and_counts_for_nothing_else() {
    let events = Events::default();
    let _log = listen(tracing_subscriber::registry().with(events.clone()));
    let client = connect(Counted::default()).await;
    for _ in 0..3 {
        let refused = call(&client, "counted_write", &[("token", "provider")]).await;
        assert_eq!(error(&refused)["kind"], "unavailable");
        assert!(!text(&refused).contains("may have taken effect"), "{}", text(&refused));
    }
    assert_eq!(call(&client, "counted_write", &[]).await.is_error, Some(false), "neither breaker nor limit is touched");
    let counted = Registry::global().tool("counted_write").expect("counted");
    assert_eq!((counted.outcome(Outcome::Rejected), counted.outcome(Outcome::Ok)), (3, 1));
    assert_eq!(counted.rejected(Rejected::Unauthorized), 0, "the decision failed");
    assert_eq!((counted.attempts, counted.failures(), counted.consecutive_failures), (1, 0, 0));
    let errors: Vec<_> = counted.errors.iter().map(|error| (&*error.code, error.count)).collect();
    assert_eq!(errors, [("WIKI_PROVIDER_DOWN", 3)]);
    let refused: Vec<_> = events.seen().into_iter().filter(|event| event.contains("authorization.refused")).collect();
    assert_eq!(refused.len(), 3);
    assert!(refused[0].contains("WIKI_PROVIDER_DOWN") && refused[0].contains("counted_write"), "{}", refused[0]);
    assert!(!events.seen().iter().any(|event| event.contains("tool.error")));
    assert_eq!(error(&call(&client, "counted_write", &[("token", "old")]).await)["code"], "WIKI_EXPIRED");
    let counted = Registry::global().tool("counted_write").expect("counted");
    assert_eq!((counted.rejected(Rejected::Unauthorized), counted.outcome(Outcome::Rejected)), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn the_gate_decides_after_the_function_and_serves_kept_answers_to_the_authorized_alone() {
    // The level is that of the process.
    if ran_in_a_child() {
        return;
    }
    let wiki = Wiki::default();
    let client = connect(Authenticated(wiki.clone())).await;
    let (alice, old) = (("user", "alice"), ("token", "old"));
    assert_eq!(text(&call(&client, "wiki_read", &[alice]).await), "the page");
    let gate = Registry::global().gate();
    gate.set_level(Some(Level::Emergency)).expect("set");
    let code = async |tool, meta: &[_]| error(&call(&client, tool, meta).await)["code"].clone();
    assert_eq!(code("wiki_sync", &[alice]).await, "READ_ONLY");
    assert_eq!(code("wiki_sync", &[alice, old]).await, "WIKI_EXPIRED");
    let kept = call(&client, "wiki_read", &[alice]).await;
    assert_eq!(meta(&kept, CALL)["source"], "cache", "{kept:?}");
    assert_eq!(code("wiki_read", &[alice, old]).await, "WIKI_EXPIRED");
    assert_eq!(wiki.runs.load(Ordering::Relaxed), 1);
    gate.set_level(None).expect("set");
    assert_eq!(text(&call(&client, "wiki_read", &[alice]).await), "the page");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cancels_does_not_wait_for_the_function() {
    let client = connect(Cancelled::default()).await;
    let meta = [("token", "hangs")];
    let waiting = ClientRequest::CallToolRequest(Request::new(with_meta(request("cancelled_read", &json!({})), &meta)));
    let options = PeerRequestOptions::no_options();
    let sent = client.send_cancellable_request(waiting, options).await.expect("sent");
    let counted = || Registry::global().tool("cancelled_read");
    while counted().is_none_or(|read| read.in_flight == 0) {
        sleep(Duration::from_millis(1)).await;
    }
    let begun = Instant::now();
    sent.cancel(None).await.expect("cancelled");
    while counted().is_some_and(|read| read.in_flight > 0) {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(counted().expect("counted").outcome(Outcome::Cancelled), 1);
}

/// A server whose tool is in no other test.
#[derive(Debug, Clone, Default)]
struct Cancelled(Wiki);

impl Cancelled {
    async fn check(&self, request: &RequestContext<RoleServer>, arguments: &JsonObject) -> Result<(), Refused> {
        self.0.check(request, arguments).await
    }
}

#[resilient(authorize = Self::check)]
#[tool_router(server_handler)]
impl Cancelled {
    /// Never runs.
    #[tool]
    async fn cancelled_read(&self) -> Result<String, Failure> {
        Ok("done".into())
    }
}
