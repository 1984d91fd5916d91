//! Runs that are accepted for later: only for users whom the proxy names, and visible to them alone.

use std::time::Duration;

use make_server::upstream::phase::Phase;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::server::{PATIENCE, Server};

const QUICK: [(&str, &str); 2] =
    [("RESILIENT__TOOL__RUN_SCENARIO__DEFERRED__BASE", "200ms"), ("RESILIENT__BREAKER__MAKE__OPEN", "200ms")];

/// Calls a tool as a user whom the proxy names.
async fn call_as(server: &Server, user: Option<&str>, tool: &str, arguments: &Value) -> Value {
    let mut request = server.post(tool, arguments);
    if let Some(user) = user {
        request = request.header("x-forwarded-user", user);
    }
    let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
    answer["result"].clone()
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{result}"))
}

#[tokio::test]
async fn a_run_of_a_known_user_is_started_once_make_is_back_and_is_seen_by_that_user_alone() {
    let server = Server::start_with(&["--user-header", "X-Forwarded-User"], &QUICK).await;
    server.enter(Phase::Outage).await;
    let run = json!({ "id": 101, "idempotency_key": "run-1" });
    for (user, arguments) in [(None, &run), (Some("ann"), &json!({ "id": 101 }))] {
        let refused = call_as(&server, user, "run_scenario", arguments).await;
        assert!(!text(&refused).starts_with("ACCEPTED_FOR_LATER"), "{user:?}: {refused}");
        assert_eq!(refused["isError"], true, "{user:?}");
    }

    let accepted = call_as(&server, Some("ann"), "run_scenario", &run).await;
    let receipt = text(&accepted).strip_prefix("ACCEPTED_FOR_LATER ").unwrap_or_else(|| panic!("{accepted}"));
    let receipt = receipt.split(':').next().unwrap();
    let status = async |user| call_as(&server, user, "deferred_status", &json!({ "receipt": receipt })).await;
    assert_eq!(status(Some("ann")).await["structuredContent"]["done"], false);
    for other in [None, Some("bob")] {
        assert_eq!(status(other).await["isError"], true, "{other:?}");
    }

    server.enter(Phase::Healthy).await;
    let done = async {
        loop {
            let status = status(Some("ann")).await["structuredContent"].clone();
            if status["done"] == true {
                return status;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let done = timeout(PATIENCE, done).await.expect("it is delivered");
    let execution = &done["result"]["structuredContent"]["executionId"];
    assert!(execution.is_string(), "{done}");
    let repeated = call_as(&server, Some("ann"), "run_scenario", &run).await;
    assert_eq!(&repeated["structuredContent"]["executionId"], execution);
    server.until_upstream(|stats| stats["executions"].as_object().is_some_and(|runs| runs.len() == 1)).await;
}
