//! What users of other clients get from writes that are deferred.

use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::process::Command;

use crate::{SERVERS, json, node, python};

const CALL: &str = "io.crates.resilient-runtime/call";

/// Asserts that a result is a receipt, and returns the receipt.
fn receipt(result: &Value, is_error: bool) -> &str {
    assert_eq!(result["isError"], json!(is_error), "{result}");
    let receipt = result["_meta"][CALL]["deferred"]["receipt"].as_str().unwrap_or_else(|| panic!("{result}"));
    let text = result["text"].as_str().unwrap();
    assert!(text.starts_with(&format!("ACCEPTED_FOR_LATER {receipt}: not done yet")), "{text}");
    assert!(text.contains("deferred_status"), "{text}");
    assert_eq!(result["_meta"][CALL]["performed"], json!(false), "{result}");
    receipt
}

/// Asserts what a client without tasks sees of each step of `deferred.py` and `deferred.js`.
async fn assert_deferred(mut client: Command, protocols: &[&str]) {
    let store = tempdir().unwrap();
    client.args([SERVERS, "orders"]).arg(store.path());
    let steps = json(client).await;
    assert!(protocols.contains(&steps["protocol"].as_str().unwrap()), "{}", steps["protocol"]);

    let of_order = receipt(&steps["accepted"], false);
    assert_eq!(receipt(&steps["again"], false), of_order);
    let conflict = steps["conflict"]["text"].as_str().unwrap();
    assert_eq!(steps["conflict"]["isError"], json!(true), "{conflict}");
    assert!(conflict.starts_with("KEY_CONFLICT") && conflict.contains(of_order), "{conflict}");
    // From a tool with an output schema, clients refuse a result without `structuredContent`, unless it is an error.
    assert_ne!(receipt(&steps["with_schema"], true), of_order);
    let of_address = receipt(&steps["soon"], true);

    let state = |step: &str| steps[step]["structuredContent"]["state"].clone();
    assert_eq!(state("waiting"), "waiting", "{}", steps["waiting"]);
    assert_eq!(steps["cancel"]["isError"], json!(false), "{}", steps["cancel"]);
    assert_eq!(state("cancelled"), "cancelled", "{}", steps["cancelled"]);
    assert_eq!(steps["unknown"]["isError"], json!(true), "{}", steps["unknown"]);
    assert_eq!(state("delivered"), "done", "{}", steps["delivered"]);
    assert_ne!(of_address, of_order);
    assert_eq!(steps["after"]["isError"], json!(false), "{}", steps["after"]);
    assert_eq!(steps["after"]["structuredContent"], json!({ "order": 7, "city": "Bergen" }));
}

#[tokio::test]
async fn the_typescript_clients_read_receipts_and_use_the_tools_for_them() {
    for (client, protocol) in [("sdk", "2025-11-25"), ("client", "2026-07-28")] {
        let mut command = node("typescript/deferred.js");
        command.arg(client);
        assert_deferred(command, &[protocol]).await;
    }
}

#[tokio::test]
async fn the_python_client_reads_receipts_and_uses_the_tools_for_them() {
    for (client, protocol) in [("mcp-legacy", "2025-11-25"), ("mcp", "2026-07-28")] {
        let mut command = python("python/deferred.py");
        command.arg(client);
        assert_deferred(command, &[protocol]).await;
    }
}
