//! The results that users of other clients get from tools that return `ErrorData`.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{SERVERS, json, node, python};

const ERROR: &str = "io.crates.resilient-runtime/error";

/// The last call of `open` is rejected by the open breaker.
const TOOLS: &str = "hang,panic,open,open,open,refuse";

async fn calls(mut client: Command) -> Vec<Value> {
    client.args([TOOLS, SERVERS, "own-errors"]);
    let Value::Array(results) = json(client).await else { panic!("an array") };
    assert_eq!(results.len(), 6, "{results:?}");
    results
}

/// Asserts that the guard's failures are results with text and metadata, and that the tool's own error is a JSON-RPC
/// error.
fn assert_readable(results: &[Value]) {
    for (result, code, words) in [
        (&results[0], "TIMEOUT", "there was no answer within 300ms"),
        (&results[1], "INTERNAL", "this server made a mistake"),
        (&results[4], "CIRCUIT_OPEN", "Do not retry before 27s"),
    ] {
        assert_eq!(result["isError"], json!(true), "{result}");
        let text = result["text"].as_str().unwrap();
        assert!(text.starts_with(code) && text.contains(words), "{text}");
        assert_eq!(result["_meta"][ERROR]["code"], code, "{result}");
        let id = result["_meta"][ERROR]["correlation_id"].as_str().unwrap();
        assert!(text.contains(id), "{text}");
        assert!(!text.contains("only the log may show this"), "{text}");
    }
    let own = results[5]["raised"].as_str().unwrap();
    assert!(own.contains("no such order"), "{own}");
}

#[tokio::test]
async fn the_typescript_client_returns_timeouts_panics_and_open_breakers_as_results() {
    assert_readable(&calls(node("typescript/calls.js")).await);
}

#[tokio::test]
async fn the_python_clients_return_timeouts_panics_and_open_breakers_as_results() {
    for client in ["mcp", "mcp-legacy", "fastmcp"] {
        let mut command = python("python/calls.py");
        command.arg(client);
        assert_readable(&calls(command).await);
    }
}
