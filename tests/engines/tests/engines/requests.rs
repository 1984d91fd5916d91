//! What users of other clients get from a server that serves every request itself.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{SERVERS, json, node, python};

const ERROR: &str = "io.crates.resilient-runtime/error";

const REQUESTS: [&str; 4] = ["read_resource", "get_prompt", "complete", "list_tools"];

/// Asserts that each request was answered with an id, and that the session lives on.
async fn assert_answered(mut client: Command) {
    client.args([SERVERS, "requests"]);
    let results: Value = json(client).await;
    for request in REQUESTS {
        for (what, kind) in [("panic", "internal"), ("hang", "timeout")] {
            let answer = &results[what][request];
            assert_eq!(answer["code"], -32603, "{what} {request}: {answer}");
            assert_eq!(answer["data"][ERROR]["kind"], kind, "{what} {request}: {answer}");
            assert!(answer["data"][ERROR]["correlation_id"].is_string(), "{what} {request}: {answer}");
            assert!(!answer.to_string().contains("only the log may show this"), "{what} {request}: {answer}");
        }
        assert!(results["cancel"][request]["raised"].is_string(), "{request}: {results}");
        assert!(results["ok"][request]["code"].is_null(), "{request}: {results}");
    }
    let panicked = &results["panic"]["call_tool"];
    assert_eq!(panicked["isError"], json!(true), "{panicked}");
    assert_eq!(panicked["_meta"][ERROR]["code"], "INTERNAL", "{panicked}");
    assert!(panicked["_meta"][ERROR]["correlation_id"].is_string(), "{panicked}");
    assert_ne!(results["ok"]["call_tool"]["isError"], json!(true), "{results}");
}

#[tokio::test]
async fn the_typescript_client_has_an_answer_to_every_request() {
    assert_answered(node("typescript/requests.js")).await;
}

#[tokio::test]
async fn the_python_clients_have_an_answer_to_every_request() {
    for client in ["mcp", "mcp-legacy"] {
        let mut command = python("python/every_request.py");
        command.arg(client);
        assert_answered(command).await;
    }
}
