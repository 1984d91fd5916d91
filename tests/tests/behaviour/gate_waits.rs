//! The gate and calls that wait: what began before a switch does not run its body after it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_runtime::Registry;
use resilient_runtime::gate::Level;
use resilient_runtime::statistics::Rejected;
use resilient_tests::gated::{Gated, TAKES};
use resilient_tests::in_process::{Client, call, connect};
use resilient_tests::wire::{ERROR, error, meta, text};
use rmcp::model::CallToolResult;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Begins a call in the background.
async fn begin(client: &Arc<Client>, tool: &'static str) -> JoinHandle<CallToolResult> {
    let client = Arc::clone(client);
    let running = tokio::spawn(async move { call(&client, tool, &json!({})).await });
    sleep(Duration::from_millis(1)).await;
    running
}

/// A server, and its client.
async fn served() -> (Arc<Registry>, Gated, Arc<Client>) {
    let server = Gated::new();
    (server.registry(), server.clone(), Arc::new(connect(server).await))
}

#[tokio::test(start_paused = true)]
async fn a_call_in_the_queue_of_a_bulkhead_is_refused_by_a_switch_that_is_set_meanwhile() {
    for (tool, level, kind, reason) in [
        ("write_queued", Level::Emergency, "read_only", Rejected::ReadOnly),
        ("read_queued", Level::Minimal, "unavailable", Rejected::CacheOnly),
    ] {
        let (registry, server, client) = served().await;
        let (first, second) = (begin(&client, tool).await, begin(&client, tool).await);
        registry.gate().set_level(Some(level)).expect("set");
        assert_eq!(text(&first.await.expect("no panic")), "done", "it ran before");
        let refused = second.await.expect("no panic");
        let error = error(&refused);
        assert_eq!((&error["kind"], &error["attempts"]), (&json!(kind), &json!(0)), "{tool}: {error}");
        assert_eq!(error["details"]["performed"], false);
        let bodies = server.bodies();
        assert_eq!((bodies.waited.load(Ordering::Relaxed), bodies.forbidden.load(Ordering::Relaxed)), (1, 0));
        let read = registry.tool(tool).expect("bound");
        assert_eq!((read.rejected(reason), read.in_flight, read.waiting), (1, 0, 0));
        assert_eq!(registry.gate().state().in_flight, 0);
        registry.gate().set_level(None).expect("set");
        assert_eq!(text(&call(&client, tool, &json!({})).await), "done", "its slot is free again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_in_the_queue_is_refused_by_a_switch_of_its_tool_and_not_by_the_limit_on_calls_in_flight() {
    let (registry, server, client) = served().await;
    let (first, second) = (begin(&client, "write_queued").await, begin(&client, "write_queued").await);
    registry.gate().set_level(Some(Level::Degraded)).expect("set");
    let mut settings = resilient_policy::GateSettings::default();
    settings.levels.effect_mut(Level::Degraded).concurrency = Some(1);
    registry.gate().__reload(settings);
    assert_eq!(text(&first.await.expect("no panic")), "done");
    let third = begin(&client, "write_queued").await;
    assert_eq!(error(&third.await.expect("no panic"))["details"]["reason"], "concurrency");
    assert_eq!(text(&second.await.expect("no panic")), "done", "a lower limit ends no call");
    registry.gate().set_level(None).expect("set");
    let (_first, second) = (begin(&client, "write_queued").await, begin(&client, "write_queued").await);
    registry.gate().switch_tool("write_queued", false).expect("known");
    assert_eq!(error(&second.await.expect("no panic"))["kind"], "disabled");
    assert_eq!(server.bodies().waited.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_next_attempt_ends_with_its_last_error() {
    let (registry, server, client) = served().await;
    let running = begin(&client, "write_retried").await;
    registry.gate().set_level(Some(Level::Emergency)).expect("set");
    let answer = running.await.expect("no panic");
    let error = meta(&answer, ERROR);
    assert_eq!((&error["kind"], &error["attempts"]), (&json!("unavailable"), &json!(1)), "{error}");
    assert_eq!(error["reason"], "read_only");
    assert!(error["details"]["performed"].is_null(), "the first attempt may have changed something: {error}");
    let bodies = server.bodies();
    assert_eq!((bodies.waited.load(Ordering::Relaxed), bodies.forbidden.load(Ordering::Relaxed)), (1, 0));
    assert_eq!(registry.tool("write_retried").expect("bound").rejected(Rejected::ReadOnly), 1);
    registry.gate().set_level(None).expect("set");
    assert_eq!(text(&call(&client, "write_retried", &json!({})).await), "done");
    sleep(TAKES).await;
    assert_eq!(bodies.waited.load(Ordering::Relaxed), 4);
}
