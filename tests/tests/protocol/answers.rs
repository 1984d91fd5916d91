//! The responses after a failure, for each type that a tool returns.

use std::io;
use std::time::Duration;

use resilient_runtime::{McpError, Registry, ResilienceError, mcp, resilient};
use resilient_tests::in_process::{Client, call, connect, request, with_meta};
use resilient_tests::logs::{Events, listen};
use resilient_tests::wire::{CALL, CORRELATION, ERROR, error, meta, text};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ErrorCode};
use rmcp::{ErrorData, ServiceError, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt as _;

const WRITE: &str = "It may have taken effect; check before repeating it.";
const UNKNOWN: &str = "If it changes anything, it may have taken effect: check before repeating it.";

#[derive(Debug, thiserror::Error, McpError)]
enum Failure {
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error("hinted")]
    #[mcp(kind = connection, hint = "Look at the ledger.")]
    Hinted,
    #[error("busy")]
    #[mcp(kind = rate_limited)]
    Busy {
        #[mcp(retry_after)]
        wait: Duration,
    },
    #[error("own protocol error")]
    #[mcp(kind = unavailable, protocol = -33_001)]
    Protocol,
    #[error("input and output")]
    Io(
        #[from]
        #[mcp(classify)]
        io::Error,
    ),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct What {
    what: String,
}

fn fail(what: &str) -> Result<String, Failure> {
    let seconds = |wait| Failure::Busy { wait: Duration::from_secs(wait) };
    Err(match what {
        "reset" => io::Error::from(io::ErrorKind::ConnectionReset).into(),
        "refused" => io::Error::from(io::ErrorKind::ConnectionRefused).into(),
        "invalid" => io::Error::from(io::ErrorKind::InvalidData).into(),
        "hinted" => Failure::Hinted,
        "protocol" => Failure::Protocol,
        "now" => seconds(0),
        "late" => seconds(u64::MAX),
        "panic" => panic!("on purpose"),
        _ => Failure::Down,
    })
}

struct Shop;

#[resilient(timeout = "2s")]
#[tool_router(server_handler)]
impl Shop {
    #[tool(annotations(read_only_hint = false))]
    async fn data_hangs(&self) -> Result<String, ErrorData> {
        std::future::pending().await
    }

    #[tool(annotations(read_only_hint = false))]
    async fn enum_hangs(&self) -> Result<String, Failure> {
        std::future::pending().await
    }

    #[tool(annotations(read_only_hint = false))]
    async fn data_panics(&self) -> Result<String, ErrorData> {
        panic!("on purpose")
    }

    #[tool(annotations(read_only_hint = false))]
    async fn enum_panics(&self) -> Result<String, Failure> {
        panic!("on purpose")
    }

    #[resilient(breaker(name = "data-isolated"))]
    #[tool(annotations(read_only_hint = false))]
    async fn data_isolated(&self) -> Result<String, ErrorData> {
        Ok("ran".into())
    }

    #[resilient(breaker(name = "data-isolated"))]
    #[tool(annotations(read_only_hint = false))]
    async fn enum_isolated(&self) -> Result<String, Failure> {
        Ok("ran".into())
    }

    #[resilient(rate_limit = "1/1h")]
    #[tool(annotations(read_only_hint = true))]
    async fn data_limited(&self) -> Result<String, ErrorData> {
        Ok("ran".into())
    }

    #[resilient(rate_limit = "1/1h")]
    #[tool(annotations(read_only_hint = true))]
    async fn enum_limited(&self) -> Result<String, Failure> {
        Ok("ran".into())
    }

    #[resilient(timeout = "5s")]
    #[tool]
    async fn data_asks(&self) -> Result<String, ErrorData> {
        Ok(self.enum_hangs().await?)
    }

    #[tool]
    async fn data_own(&self, Parameters(What { what }): Parameters<What>) -> Result<String, ErrorData> {
        if what == "plain" {
            return Err(ErrorData::internal_error("mine", Some(json!({ "mine": 1 }))));
        }
        Ok(fail(&what)?)
    }

    #[tool]
    async fn data_changes(&self) -> Result<String, ErrorData> {
        self.enum_hangs().await.map_err(|error| {
            let mut data = ErrorData::from(error);
            data.message = "mine".into();
            data
        })
    }

    #[tool(annotations(read_only_hint = false))]
    async fn writes(&self, Parameters(What { what }): Parameters<What>) -> Result<String, Failure> {
        fail(&what)
    }

    #[tool]
    async fn perhaps(&self, Parameters(What { what }): Parameters<What>) -> Result<String, Failure> {
        fail(&what)
    }

    #[tool(annotations(read_only_hint = true))]
    async fn reads(&self, Parameters(What { what }): Parameters<What>) -> Result<String, Failure> {
        fail(&what)
    }
}

async fn ask(client: &Client, tool: &'static str, what: &str) -> CallToolResult {
    call(client, tool, &json!({ "what": what })).await
}

/// The text and the error without the correlation id.
fn told(result: &CallToolResult) -> (String, Value) {
    let id = meta(result, ERROR)["correlation_id"].take();
    let id = id.as_str().expect("a correlation id");
    let text = text(result);
    assert!(text.contains(id), "{text}");
    (text.replace(id, "ID"), error(result))
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_framework_is_the_same_result_for_error_data_as_for_a_derived_error() {
    let client = connect(Shop).await;
    for [data, derived] in [
        ["data_hangs", "enum_hangs"],
        ["data_panics", "enum_panics"],
        ["data_isolated", "enum_isolated"],
        ["data_limited", "enum_limited"],
    ] {
        if data == "data_isolated" {
            call(&client, data, &json!({})).await;
            Registry::global().breaker("data-isolated").expect("bound").isolate();
        }
        if data == "data_limited" {
            call(&client, data, &json!({})).await;
            call(&client, derived, &json!({})).await;
        }
        let one = call(&client, data, &json!({})).await;
        let other = call(&client, derived, &json!({})).await;
        assert_eq!(one.is_error, Some(true), "{data}");
        assert_eq!(told(&one), told(&other), "{data}");
        assert!(meta(&one, ERROR)["attempts"].is_u64(), "{data}: {}", meta(&one, ERROR));
        assert_eq!(meta(&one, CALL), Value::Null, "{data}");
    }
    // The failure of a guarded function that the tool called, propagated with `?`.
    let asked = call(&client, "data_asks", &json!({})).await;
    assert_eq!((asked.is_error, &meta(&asked, ERROR)["code"]), (Some(true), &json!("TIMEOUT")));
    let errors = Registry::global().tool("data_hangs").expect("counted");
    assert_eq!(errors.outcome(resilient_runtime::Outcome::Timeout), 1);
}

#[tokio::test(start_paused = true)]
async fn the_tools_own_error_data_stays_a_json_rpc_error() {
    let client = connect(Shop).await;
    for (tool, what, code, message) in [
        ("data_own", "plain", -32_603, "mine"),
        ("data_own", "protocol", -33_001, "PROTOCOL: "),
        ("data_own", "down", -32_603, "DOWN: "),
        ("data_changes", "", -32_603, "mine"),
    ] {
        let answered = client.call_tool(request(tool, &json!({ "what": what }))).await;
        let Err(ServiceError::McpError(error)) = answered else { panic!("{tool} {what}: {answered:?}") };
        assert_eq!(error.code, ErrorCode(code), "{tool} {what}");
        assert!(error.message.starts_with(message), "{}", error.message);
    }
    let answered = client.call_tool(request("writes", &json!({ "what": "protocol" }))).await;
    assert!(matches!(answered, Err(ServiceError::McpError(error)) if error.code == ErrorCode(-33_001)));
}

#[tokio::test(start_paused = true)]
async fn what_ran_and_leaves_its_effect_open_is_to_be_checked_unless_it_only_reads() {
    let client = connect(Shop).await;
    for what in ["reset", "invalid", "down", "panic"] {
        for (tool, sentence) in [("writes", WRITE), ("perhaps", UNKNOWN)] {
            let failed = ask(&client, tool, what).await;
            assert!(text(&failed).contains(sentence), "{tool} {what}: {}", text(&failed));
            assert!(!text(&failed).contains("Try again"), "{tool} {what}: {}", text(&failed));
            assert_eq!(meta(&failed, ERROR)["hint"], Value::Null, "{tool} {what}");
        }
        let read = ask(&client, "reads", what).await;
        assert!(!text(&read).contains("taken effect"), "{what}: {}", text(&read));
        assert!(meta(&read, ERROR)["hint"].is_string(), "{what}");
    }
    let hinted = ask(&client, "writes", "hinted").await;
    assert!(text(&hinted).contains(&format!("{WRITE} Look at the ledger.")), "{}", text(&hinted));
    // A call that certainly had no effect may be retried.
    for what in ["refused", "now"] {
        let nothing = ask(&client, "writes", what).await;
        assert!(!text(&nothing).contains("taken effect"), "{what}: {}", text(&nothing));
        assert!(meta(&nothing, ERROR)["hint"].is_string(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_at_most_an_hour_and_one_of_nothing_is_not_mentioned() {
    let client = connect(Shop).await;
    let late = ask(&client, "reads", "late").await;
    assert!(text(&late).contains("Do not retry before 1h."), "{}", text(&late));
    assert_eq!(meta(&late, ERROR)["retry_after_ms"], 3_600_000);
    let now = ask(&client, "reads", "now").await;
    assert!(!text(&now).contains("Do not retry before"), "{}", text(&now));
    assert_eq!(meta(&now, ERROR)["retry_after_ms"], 0);
}

#[tokio::test(start_paused = true)]
async fn arguments_that_do_not_fit_are_logged_under_the_id_that_the_client_reads() {
    let events = Events::default();
    let _logging = listen(tracing_subscriber::registry().with(events.clone()));
    let client = connect(Shop).await;
    let failed = call(&client, "writes", &json!({ "what": 5 })).await;
    assert_eq!(meta(&failed, ERROR)["code"], "INVALID_ARGUMENTS");
    let id = meta(&failed, ERROR)["correlation_id"].as_str().expect("an id").to_owned();
    let events = events.seen();
    let found: Vec<_> = events.iter().filter(|line| line.contains("tool.error") && line.contains(&id)).collect();
    assert_eq!(found.len(), 1, "{events:?}");
    assert!(found[0].starts_with("INFO ") && found[0].contains("INVALID_ARGUMENTS"), "{found:?}");
    assert!(found[0].contains("tool=\"writes\""), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_correlation_id_with_the_form_of_a_secret_is_replaced() {
    let client = connect(Shop).await;
    for (sent, kept) in [("order-4711", true), ("sk-12345678", false)] {
        let request = with_meta(request("writes", &json!({ "what": "down" })), &[(CORRELATION, sent)]);
        let failed = client.call_tool(request).await.expect("an answer");
        let id = meta(&failed, ERROR)["correlation_id"].clone();
        assert_eq!(id == sent, kept, "{id}");
        assert_eq!(text(&failed).contains(sent), kept, "{}", text(&failed));
        assert!(kept || id.as_str().is_some_and(|id| id.len() == 32), "{id}");
    }
}

/// The assumptions of the hook about rmcp: the map of the routes, and that rmcp's expansion calls the method `call`.
#[tokio::test(start_paused = true)]
async fn the_hook_is_in_the_way_of_every_route_and_of_tools_that_are_not_there() {
    let client = connect(Shop).await;
    let ran = client.call_tool(request("writes", &json!({ "what": 5 }))).await.expect("a result, not an error");
    let told = "INVALID_ARGUMENTS: argument `what`: expected a string, received integer `5`.";
    assert!(text(&ran).starts_with(told), "the hook knows rmcp's words: {}", text(&ran));
    assert_eq!(meta(&ran, ERROR)["code"], "INVALID_ARGUMENTS");
    let router = mcp::instrument(Shop::tool_router());
    assert_eq!(router.map.len(), Shop::tool_router().list_all().len(), "rmcp keeps every route in its map");
    let unknown = || Registry::global().unknown_tools().count();
    let before = unknown();
    assert!(client.call_tool(request("no_such_tool", &json!({}))).await.is_err());
    assert!(unknown() > before, "the router's `call` is the one of this crate");
}
