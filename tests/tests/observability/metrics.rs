//! The metrics after a scripted run equal the results that the client received, outcome by outcome. Two tests count all
//! calls of a process, and run in a separate one.

#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::export::prometheus;
use resilient_runtime::{Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::ShopError;
use resilient_tests::in_process::{self, Client, request};
use resilient_tests::scrape::scrape;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolRequestParams;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    what: String,
    text: String,
}

struct Shop;

#[resilient(timeout = "2s", breaker(name = "shop", failures = 50))]
#[tool_router(server_handler)]
impl Shop {
    /// Ends as its argument says.
    #[resilient(retry(max = 1, base = "10ms", budget = none))]
    #[tool(annotations(read_only_hint = true))]
    async fn ask(&self, Parameters(Ask { what, text }): Parameters<Ask>) -> Result<String, ShopError> {
        match what.as_str() {
            "ok" => Ok(text),
            "down" => Err(ShopError::Down(text)),
            "missing" => Err(ShopError::Missing(text)),
            "protocol" => Err(ShopError::Protocol(text)),
            "panic" => panic!("{text}"),
            _ => std::future::pending().await,
        }
    }

    /// Has a fallback, and no breaker.
    #[resilient(breaker = none, fallback = value(String::from("instead")))]
    #[tool(annotations(read_only_hint = true))]
    async fn substituted(&self) -> Result<String, ShopError> {
        Err(ShopError::Down(String::new()))
    }

    /// Is never called.
    #[tool]
    async fn idle(&self) -> Result<String, ShopError> {
        Ok(String::new())
    }
}

async fn call(client: &Client, tool: &'static str, arguments: &Value) -> Option<bool> {
    client.call_tool(request(tool, arguments)).await.ok().map(|result| result.is_error == Some(true))
}

#[tokio::test(start_paused = true)]
async fn the_numbers_are_those_that_the_client_saw() {
    if ran_in_a_child() {
        return;
    }
    let client = in_process::connect(Shop).await;
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for (what, times) in [("ok", 5), ("down", 3), ("missing", 4), ("protocol", 2), ("panic", 1), ("hang", 2)] {
        for n in 0..times {
            let answered = call(&client, "ask", &json!({ "what": what, "text": format!("text {n}") })).await;
            let expected = if what == "protocol" { None } else { Some(what != "ok") };
            assert_eq!(answered, expected, "{what}");
            *seen.entry(what).or_default() += 1;
        }
    }
    assert_eq!(call(&client, "ask", &json!({ "what": 7 })).await, Some(true));
    assert_eq!(call(&client, "substituted", &json!({})).await, Some(false));
    let read = scrape(&prometheus::global_text());
    let of = |series: &str| read.get(series).copied().unwrap_or_else(|| panic!("{series} in {read:#?}"));
    for (outcome, count) in [
        ("ok", seen["ok"]),
        ("error", seen["down"] + seen["missing"] + seen["protocol"] + 1),
        ("timeout", seen["hang"]),
        ("panic", seen["panic"]),
        ("fallback", 0),
        ("rejected", 0),
        ("cancelled", 0),
    ] {
        assert_eq!(of(&format!("resilient_calls{{outcome={outcome},tool=ask}}")), f64::from(count), "{outcome}");
        assert_eq!(of(&format!("resilient_calls{{outcome={outcome},tool=idle}}")), 0.0, "{outcome}");
    }
    let operation = |tool: &str, error: &str| {
        of(&format!(
            "mcp_server_operation_duration_seconds_count{{error_type={error},gen_ai_tool_name={tool},mcp_method_name=tools/call}}"
        ))
    };
    assert_eq!(operation("ask", ""), f64::from(seen["ok"]));
    assert_eq!(operation("ask", "timeout"), f64::from(seen["hang"]));
    assert_eq!(operation("ask", "-33001"), f64::from(seen["protocol"]));
    assert_eq!(operation("ask", "tool_error"), f64::from(seen["down"] + seen["missing"] + seen["panic"] + 1));
    assert_eq!(operation("idle", ""), 0.0);
    for (code, kind, severity, count) in [
        ("SHOP_DOWN", "unavailable", "high", seen["down"]),
        ("SHOP_MISSING", "not_found", "low", seen["missing"]),
        ("SHOP_PROTOCOL", "internal", "critical", seen["protocol"]),
        ("INVALID_ARGUMENTS", "invalid_input", "low", 1),
    ] {
        let series = format!("resilient_errors{{code={code},kind={kind},severity={severity},tool=ask}}");
        assert_eq!(of(&series), f64::from(count));
    }
    // One retry for each call that was down, and for each call that hung.
    assert_eq!(of("resilient_retries{kind=unavailable,tool=ask}"), f64::from(seen["down"]));
    assert_eq!(of("resilient_retries{kind=timeout,tool=ask}"), f64::from(seen["hang"]));
    assert_eq!(of("resilient_timeouts{scope=attempt,tool=ask}") + of("resilient_timeouts{scope=call,tool=ask}"), 4.0);
    let attempt = |outcome: &str| {
        of(&format!("resilient_attempt_duration_seconds_count{{breaker=shop,outcome={outcome},tool=}}"))
    };
    assert_eq!(attempt("ok"), f64::from(seen["ok"]));
    assert_eq!(attempt("error"), f64::from(2 * seen["down"] + seen["missing"] + seen["protocol"]));
    assert_eq!(attempt("timeout"), f64::from(2 * seen["hang"]));
    assert_eq!(attempt("panic"), f64::from(seen["panic"]));
    assert_eq!(of("resilient_fallbacks{source=value,tool=substituted}"), 1.0);
    assert_eq!(of("resilient_calls{outcome=fallback,tool=substituted}"), 1.0);
    assert_eq!(of("resilient_attempt_duration_seconds_count{breaker=,outcome=error,tool=substituted}"), 1.0);
    assert_eq!(of("resilient_breaker_state{breaker=shop}"), 0.0);
    assert_eq!(of("resilient_breaker_transitions{breaker=shop,from=closed,to=open}"), 0.0);
    assert_eq!(of("resilient_in_flight{tool=ask}"), 0.0);
    if cfg!(target_os = "linux") {
        assert!(of("process_resident_memory_bytes{}") > 1e6 && of("process_open_fds{}") > 2.0);
        assert!(of("resilient_memory_limit_bytes{}") > of("process_resident_memory_bytes{}"));
        assert!(of("process_max_fds{}") >= of("process_open_fds{}") && of("process_threads{}") >= 1.0);
        assert!(of("process_cpu_seconds{}") > 0.0 && of("process_virtual_memory_bytes{}") > 1e6);
        let age = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
        let began = of("process_start_time_seconds{}");
        assert!((age - began).abs() < 3_600.0, "{began} at {age}");
    }
}

#[test]
fn breakers_of_one_name_are_one_series_that_only_grows() {
    #[resilient(name = "keyed", breaker(name = "keyed", failures = 1, open = "100ms", key = id))]
    async fn keyed(id: u32) -> Result<(), ShopError> {
        if id == u32::MAX { Ok(()) } else { Err(ShopError::Down(String::new())) }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let registry = Arc::new(Registry::new());
        let mut last = 0.0;
        for round in 0..4_u32 {
            registry
                .clone()
                .scope(async {
                    for id in 0..1_500 {
                        let _ = keyed(round * 1_500 + id).await;
                    }
                })
                .await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            let opened = scrape(&prometheus::text(&registry))["resilient_breaker_transitions{breaker=keyed,from=closed,to=open}"];
            assert!(opened >= last + 1_000.0, "{opened} after {last}");
            last = opened;
        }
    });
}

#[tokio::test(start_paused = true)]
async fn tools_that_are_not_there_are_one_series_that_is_there_from_the_start() {
    const SERIES: &str =
        "mcp_server_operation_duration_seconds_count{error_type=,gen_ai_tool_name=,mcp_method_name=tools/call}";
    if ran_in_a_child() {
        return;
    }
    let before = scrape(&prometheus::global_text())[SERIES];
    let client = in_process::connect(Shop).await;
    for n in 0..100 {
        let asked = CallToolRequestParams::new(format!("no tool {n}"));
        assert!(client.call_tool(asked).await.is_err());
    }
    let read = scrape(&prometheus::global_text());
    assert_eq!(read[SERIES], before + 100.0);
    assert!(!read.keys().any(|series| series.contains("no tool")));
}
