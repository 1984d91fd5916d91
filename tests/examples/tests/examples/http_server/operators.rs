//! What an operator changes while the server runs: the level over HTTP, and settings by SIGHUP.

use serde_json::{Value, json};

use super::server::{Era, Server, call};

const TOKEN: &str = "only-operators-know-it";

/// Sends a request to the routes for operators, with a body if it changes something.
async fn operate(server: &Server, path: &str, body: Option<Value>) -> Value {
    let url = format!("{}{path}", server.admin.as_deref().unwrap());
    let request = match body {
        Some(body) => server.http.post(url).json(&body),
        None => server.http.get(url),
    };
    request.bearer_auth(TOKEN).send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

async fn level_in_health(server: &Server) -> Value {
    let (_, report) = server.get("/healthz").await;
    serde_json::from_str::<Value>(&report).unwrap()["level"].clone()
}

#[tokio::test]
async fn an_operator_sets_the_level_and_reloads_the_settings() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let environment = [("RESILIENT_ADMIN_TOKEN", TOKEN), ("RESILIENT_CONFIG", file.path().to_str().unwrap())];
    let server = Server::start_with(&["--admin", "127.0.0.1:0"], &environment).await;
    assert_eq!(level_in_health(&server).await, "normal");
    let changed = operate(&server, "/level", Some(json!({ "level": "degraded", "by": "on call" }))).await;
    assert_eq!((&changed["level"], &changed["level_source"]), (&json!("degraded"), &json!("admin")));
    assert_eq!(operate(&server, "/status", None).await["level"], "degraded");
    assert_eq!(level_in_health(&server).await, "degraded");
    assert_eq!(server.logged("by").await["event"], "admin.changed");

    operate(&server, "/level", Some(json!({ "level": "emergency" }))).await;
    let client = server.client(Era::Session, None).await;
    assert_eq!(client.list_all_tools().await.unwrap().len(), 6, "a level leaves the list as it is");
    let refused = call(&client, "run_scenario", json!({ "id": 101 })).await.unwrap();
    let error = &refused.meta.unwrap().0["io.crates.resilient-runtime/error"];
    let details = &error["details"];
    assert_eq!(
        (&error["kind"], &details["level"], &details["performed"]),
        (&json!("read_only"), &json!("emergency"), &json!(false))
    );
    operate(&server, "/level", Some(json!({ "level": "automatic" }))).await;
    let answer = call(&client, "run_scenario", json!({ "id": 101 })).await.unwrap();
    assert_ne!(answer.is_error, Some(true), "{answer:?}");

    std::fs::write(file.path(), "[tool.list_scenarios]\ntimeout = \"7s\"\n").unwrap();
    server.signal("HUP");
    let reloaded = server.logged("changes").await;
    assert_eq!(reloaded["changes"], "list_scenarios: timeout 8s -> 7s");
    let shown = operate(&server, "/policies", None).await;
    let all = shown["policies"].as_array().unwrap();
    let policy = all.iter().find(|policy| policy["name"] == "list_scenarios").unwrap();
    assert_eq!(policy["timeout"], "7s");
}
