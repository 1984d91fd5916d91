//! What a client sees of the switches of an operator.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use resilient_policy::{GateSettings, Switches};
use resilient_runtime::gate::Level;
use resilient_runtime::health::Health;
use resilient_runtime::{Registry, mcp, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::Failure;
use resilient_tests::gated::Gated;
use resilient_tests::in_process::{Client, call, connect, request};
use resilient_tests::wire::{error, text};
use rmcp::model::ErrorCode;
use rmcp::{ServerHandler, ServiceError, tool, tool_handler, tool_router};
use serde_json::json;

async fn listed(client: &Client) -> BTreeSet<String> {
    client.list_all_tools().await.expect("a list").into_iter().map(|tool| tool.name.into_owned()).collect()
}

/// Returns the time of a `since`, after a check of its form.
fn since(error: &serde_json::Value) -> &str {
    let since = error["details"]["since"].as_str().expect("a time");
    let form: String = since.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00T00:00:00Z");
    since
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_switch_leaves_the_list_and_answers_with_a_text_to_act_on() {
    let server = Gated::new();
    let registry = server.registry();
    let client = connect(server).await;
    let before = listed(&client).await;

    registry.gate().set_level(Some(Level::Emergency)).expect("set");
    let refused = call(&client, "write", &json!({})).await;
    let error_of = error(&refused);
    let at = since(&error_of).to_owned();
    let (_, time) = at.split_once('T').expect("a time");
    let minutes = &time[..5];
    assert_eq!(
        error_of,
        json!({
            "code": "READ_ONLY", "kind": "read_only", "retryable": false, "attempts": 0,
            "hint": "Tools that only read have at most the answers of earlier calls.",
            "details": { "reason": "read_only", "level": "emergency", "since": at, "performed": false },
        })
    );
    let expected = format!(
        "READ_ONLY: `write` is switched off while this server is read-only (level emergency, since {minutes} UTC). \
         Nothing was changed. Tools that only read have at most the answers of earlier calls. (correlation id "
    );
    assert!(text(&refused).starts_with(&expected), "{}", text(&refused));

    let reads = call(&client, "read", &json!({})).await;
    assert_eq!(
        error(&reads),
        json!({
            "code": "CACHE_ONLY", "kind": "unavailable", "retryable": false, "attempts": 0,
            "hint": "Continue without this tool.",
            "details": { "reason": "cache_only", "level": "emergency", "since": at, "performed": false },
        })
    );
    let expected = format!(
        "CACHE_ONLY: `read` has no answer of an earlier call, and new answers are switched off (level emergency, since \
         {minutes} UTC). Continue without this tool. (correlation id "
    );
    assert!(text(&reads).starts_with(&expected), "{}", text(&reads));

    registry.gate().set_level(None).expect("set");
    registry.gate().switch_tool("write_by_hand", false).expect("known");
    let off = call(&client, "write_by_hand", &json!({})).await;
    let error_of = error(&off);
    assert_eq!((&error_of["kind"], &error_of["retryable"]), (&json!("disabled"), &json!(false)));
    let details = json!({ "reason": "disabled", "level": "normal", "since": since(&error_of), "performed": false });
    assert_eq!(error_of["details"], details);
    let expected = "DISABLED: `write_by_hand` is switched off (since ";
    assert!(
        text(&off).starts_with(expected) && text(&off).matches("Nothing was changed.").count() == 1,
        "{}",
        text(&off)
    );
    assert_eq!(listed(&client).await, before, "clients keep the list");
    registry.gate().switch_tool("write_by_hand", true).expect("known");
    assert_eq!(text(&call(&client, "write_by_hand", &json!({})).await), "done");
}

#[tokio::test(start_paused = true)]
async fn a_call_beyond_the_limit_of_a_level_says_the_level_and_since_when_and_that_nothing_ran() {
    for tool in ["read", "write"] {
        let server = Gated::new();
        let (registry, bodies) = (server.registry(), server.bodies());
        let client = connect(server).await;
        let mut settings = GateSettings::default();
        settings.levels.effect_mut(Level::Degraded).concurrency = Some(1);
        registry.gate().__start(settings);
        registry.gate().set_level(Some(Level::Degraded)).expect("set");
        let arguments = json!({});
        let both = tokio::join!(call(&client, tool, &arguments), call(&client, tool, &arguments));
        let refused = [both.0, both.1].into_iter().find(|answer| answer.is_error == Some(true));
        let error_of = error(&refused.expect("one is refused"));
        assert_eq!(error_of["kind"], "overloaded");
        let expected = json!({
            "limit": "concurrency", "reason": "concurrency", "level": "degraded", "since": since(&error_of),
            "performed": false,
        });
        assert_eq!(error_of["details"], expected, "{tool}");
        assert_eq!(bodies.ran.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_only_server_advises_the_tools_that_read() {
    let server = Gated::new();
    let registry = server.registry();
    let switches = Switches { read_only: true, ..Switches::default() };
    registry.gate().__start(GateSettings { switches, ..GateSettings::default() });
    let client = connect(server).await;
    let refused = call(&client, "unhinted", &json!({})).await;
    assert!(text(&refused).contains("Nothing was changed. Tools that only read still work."), "{}", text(&refused));
    assert_eq!(text(&call(&client, "read", &json!({})).await), "done");
}

static HEALTH: LazyLock<Arc<Health>> = LazyLock::new(|| Arc::new(Health::new()));

#[derive(Clone)]
struct Shop;

#[resilient]
#[tool_router]
impl Shop {
    /// Writes.
    #[tool]
    async fn buy(&self) -> Result<String, Failure> {
        Ok("bought".into())
    }

    /// Reads.
    #[tool(annotations(read_only_hint = true))]
    async fn look(&self) -> Result<String, Failure> {
        Ok("seen".into())
    }

    /// Reads.
    #[tool(annotations(read_only_hint = true))]
    fn count() -> String {
        "3".into()
    }
}

#[resilient]
#[tool_handler(router = Self::tool_router() + mcp::operator_tools(&HEALTH))]
impl ServerHandler for Shop {}

#[test]
fn a_static_switch_shortens_the_list_and_the_tool_is_not_found() {
    // The router of a server is built once per process, with the settings of the process.
    if ran_in_a_child() {
        return;
    }
    let switches = Switches { read_only: true, tools: ["count".to_owned()].into(), ..Switches::default() };
    let gate = Registry::global().gate();
    gate.__start(GateSettings { switches, ..GateSettings::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let client = connect(Shop).await;
        let expected = ["circuit_status", "get_metrics", "health_check", "look", "recent_errors"];
        assert_eq!(listed(&client).await, expected.map(str::to_owned).into());
        for tool in ["buy", "count"] {
            let answer = client.call_tool(request(tool, &json!({}))).await;
            let Err(ServiceError::McpError(error)) = answer else { panic!("{tool}: {answer:?}") };
            assert_eq!((error.code, &*error.message), (ErrorCode::INVALID_PARAMS, "tool not found"), "{tool}");
        }
        assert_eq!(text(&call(&client, "look", &json!({})).await), "seen");
        // What a reload adds acts at once, and leaves the list.
        let switches = Switches { tools: ["look".to_owned()].into(), ..Switches::default() };
        let report = gate.__reload(GateSettings { switches, ..GateSettings::default() });
        assert_eq!(
            report,
            [
                "the tool `look` is off from now on; it leaves the list with the next restart",
                "`read_only` was set at start and stays so until the next restart",
                "the tool `count` was off at start and stays so until the next restart",
            ]
        );
        assert_eq!(error(&call(&client, "look", &json!({})).await)["kind"], "disabled");
        assert_eq!(listed(&client).await, expected.map(str::to_owned).into());
    });
}

#[tokio::test(start_paused = true)]
async fn a_router_that_is_instrumented_by_hand_leaves_out_what_the_settings_of_its_registry_turn_off() {
    let registry = Arc::new(Registry::new());
    let switches = Switches { tools: ["read_by_hand".to_owned()].into(), ..Switches::default() };
    registry.gate().__start(GateSettings { switches, ..GateSettings::default() });
    let router = registry.clone().scope(async { Gated::router() }).await;
    let client = connect(Gated::of(router, registry)).await;
    let listed = listed(&client).await;
    assert!(listed.contains("write_by_hand") && !listed.contains("read_by_hand"), "{listed:?}");
}
