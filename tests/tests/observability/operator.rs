//! The ready-made tools for operators: their schemas, and which caller may read what.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use resilient_runtime::health::{CheckResult, Health, HealthCheck};
use resilient_runtime::{mcp, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::ShopError;
use resilient_tests::in_process::{self, Client, call};
use resilient_tests::wire::{ERROR, meta, text};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde_json::{Value, json};

/// The number of times that the check has run.
static ASKED: AtomicU32 = AtomicU32::new(0);

static HEALTH: LazyLock<Arc<Health>> = LazyLock::new(|| {
    Arc::new(Health::new().check(HealthCheck::new("stock", || async {
        let asked = ASKED.fetch_add(1, Ordering::Relaxed) + 1;
        CheckResult::pass(format!("asked {asked} times")).details(json!({ "items": 7, "api_key": "hunter2" }))
    })))
});

struct Shop;

#[resilient]
#[tool_router]
impl Shop {
    /// Answers.
    #[tool]
    async fn fine(&self) -> Result<String, ShopError> {
        Ok("fine".into())
    }

    /// Fails.
    #[resilient(breaker(name = "shop", failures = 3, open = "60s"), retry(max = 1, base = "1ms"), read_only)]
    #[tool]
    async fn down(&self) -> Result<String, ShopError> {
        Err(ShopError::Down("password=hunter2".into()))
    }
}

#[resilient]
#[tool_handler(router = Self::tool_router() + mcp::operator_tools(&HEALTH))]
impl ServerHandler for Shop {}

async fn told(client: &Client, tool: &'static str, arguments: &Value) -> Value {
    let answer = call(client, tool, arguments).await;
    assert_eq!(answer.is_error, Some(false), "{}", text(&answer));
    answer.structured_content.expect("structured")
}

/// Collects the formats of a schema. A property may be named `format` too; then its value is not a text.
fn formats(schema: &Value) -> Vec<&str> {
    let values: Vec<&Value> = match schema {
        Value::Object(object) => object.values().collect(),
        Value::Array(values) => values.iter().collect(),
        _ => Vec::new(),
    };
    let own = schema.get("format").and_then(Value::as_str);
    own.into_iter().chain(values.into_iter().flat_map(formats)).collect()
}

#[test]
fn the_schemas_of_the_ready_made_tools_have_no_formats_for_numbers() {
    for tool in mcp::operator_tools::<Shop>(&HEALTH).list_all() {
        let output = tool.output_schema.expect("a schema");
        for schema in [tool.input_schema, output] {
            let schema = Value::Object((*schema).clone());
            assert!(schema["properties"].is_object() || schema["type"] == "object", "{schema}");
            assert_eq!(formats(&schema), [""; 0], "{}: {schema}", tool.name);
        }
    }
}

#[test]
fn clients_can_read_in_the_schema_of_recent_errors_how_trends_are_defined() {
    let tools = mcp::operator_tools::<Shop>(&HEALTH).list_all();
    let tool = tools.iter().find(|tool| tool.name == "recent_errors").expect("offered");
    let schema = serde_json::to_string_pretty(&tool.output_schema).expect("JSON");
    insta::assert_snapshot!("schema_of_recent_errors", schema);
}

/// In a separate process: the tools show all calls and breakers of a process.
#[tokio::test(start_paused = true)]
async fn one_line_gives_a_server_tools_that_tell_how_it_does() {
    if ran_in_a_child() {
        return;
    }
    let client = in_process::connect(Shop).await;

    // They are listed with correct annotations, and with schemas that match their responses.
    let tools = client.list_all_tools().await.expect("tools");
    let names = ["circuit_status", "get_metrics", "health_check", "recent_errors"];
    for name in names {
        let tool = tools.iter().find(|tool| tool.name == name).expect("offered");
        let hints = tool.annotations.as_ref().expect("annotations");
        let hints = (hints.read_only_hint, hints.idempotent_hint, hints.open_world_hint);
        assert_eq!(hints, (Some(true), Some(true), Some(false)), "{name}");
        assert!(tool.description.is_some() && tool.title.is_some(), "{name}");
    }
    let fits = |name: &str, answer: &Value| {
        let tool = tools.iter().find(|tool| tool.name == name).expect("offered");
        let schema = Value::Object((**tool.output_schema.as_ref().expect("a schema")).clone());
        assert_eq!(schema["type"], "object");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let wrong: Vec<_> = validator.iter_errors(answer).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?} in {answer}");
    };
    let ask = async |tool: &'static str, arguments: Value| {
        let answer = told(&client, tool, &arguments).await;
        fits(tool, &answer);
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
        answer
    };

    // The report is cached, and has details only on request.
    let health = ask("health_check", json!({})).await;
    assert_eq!(health["status"], "healthy");
    assert_eq!(
        (&health["checks"][0]["name"], &health["checks"][0]["message"]),
        (&json!("stock"), &json!("asked 1 times"))
    );
    assert_eq!(health["checks"][0].get("details"), None);
    let health = ask("health_check", json!({ "include_details": true })).await;
    assert_eq!(health["checks"][0]["message"], "asked 1 times");
    assert_eq!(health["checks"][0]["details"], json!({ "items": 7, "api_key": "***" }));
    // `force` makes a new report unless the last one is at most a second old.
    for (wait, message) in [(0, "asked 1 times"), (999, "asked 1 times"), (1, "asked 2 times"), (0, "asked 2 times")] {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        assert_eq!(ask("health_check", json!({ "force": true })).await["checks"][0]["message"], message);
    }

    // The first call has two attempts, the second opens the breaker, the third is rejected.
    call(&client, "fine", &json!({})).await;
    let failed = call(&client, "down", &json!({})).await;
    let id = meta(&failed, ERROR)["correlation_id"].clone();
    for _ in 0..2 {
        call(&client, "down", &json!({})).await;
    }

    let metrics = ask("get_metrics", json!({ "tool": "down" })).await;
    assert_eq!(metrics["functions"], json!([]));
    let down = &metrics["tools"][0];
    assert_eq!((&down["name"], &down["calls"], &down["attempts"]), (&json!("down"), &json!(3), &json!(3)));
    assert_eq!((&down["outcomes"]["error"], &down["outcomes"]["rejected"]), (&json!(2), &json!(1)));
    assert_eq!((&down["retries"], &down["failure_rate_percent"]), (&json!(1), &json!(100.0)));
    let all = ask("get_metrics", json!({})).await;
    assert!(all["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["name"] == "fine")));
    let unknown = call(&client, "get_metrics", &json!({ "tool": "dwon" })).await;
    assert_eq!(unknown.is_error, Some(true));
    assert!(text(&unknown).contains("no tool has been called `dwon`; did you mean `down`?"), "{}", text(&unknown));

    let circuits = ask("circuit_status", json!({})).await;
    let shop = &circuits["breakers"][0];
    assert_eq!((&shop["breaker"], &shop["state"]), (&json!("shop"), &json!("open")));
    assert_eq!((&shop["retry_after_ms"], &shop["rejected"]), (&json!(60_000), &json!(1)));
    let moved = &shop["transitions"][0];
    assert_eq!(
        (&moved["from"], &moved["to"], &moved["reason"]),
        (&json!("closed"), &json!("open"), &json!("failures"))
    );

    // The rejection is only counted.
    let errors = ask("recent_errors", json!({})).await;
    let groups: Vec<_> =
        errors["groups"].as_array().expect("groups").iter().filter(|it| it["tool"] == "down").collect();
    let codes: Vec<_> = groups.iter().map(|group| (&group["code"], &group["count"])).collect();
    assert!(codes.contains(&(&json!("SHOP_DOWN"), &json!(2))) && codes.contains(&(&json!("CIRCUIT_OPEN"), &json!(1))));
    let counts = |trend: &Value| (trend["trend"].clone(), trend["last_hour"].clone(), trend["last_24_hours"].clone());
    let trends = errors["trends"].as_array().expect("trends").iter().filter(|it| it["tool"] == "down");
    let trends: Vec<_> = trends.map(counts).collect();
    assert_eq!(trends, [2, 1].map(|count| (json!("steady"), json!(count), json!(count))), "the most frequent is first");
    let own: Vec<_> = errors["errors"].as_array().expect("errors").iter().filter(|it| it["tool"] == "down").collect();
    assert_eq!(own.len(), 2);
    assert_eq!((&own[1]["correlation_id"], &own[1]["attempts"]), (&id, &json!(2)));
    assert_eq!(ask("recent_errors", json!({ "limit": 0 })).await["errors"], json!([]));
    let fine = ask("recent_errors", json!({ "tool": "fine" })).await;
    assert_eq!(fine, json!({ "groups": [], "trends": [], "errors": [] }));

    // They are ordinary tools: a wrong argument is the caller's fault. Their calls do not count towards the error rate.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let health = ask("health_check", json!({ "force": true })).await;
    let rate = health["checks"].as_array().expect("checks").iter().find(|check| check["name"] == "error_rate");
    assert_eq!(rate.map(|rate| &rate["message"]), Some(&json!("3 calls since the start, too few to say anything")));
    let own = health["tools"].as_array().expect("tools").iter().find(|tool| tool["tool"] == "get_metrics");
    assert_eq!(own.map(|tool| &tool["status"]), Some(&json!("healthy")));
}
