//! Deferred writes as tasks, with a client in Python that implements the extension.

use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::process::Command;

use crate::{SERVERS, json, python_with_tasks};

/// Asserts that the client polls a task to its result, and cancels another one.
pub(crate) async fn assert_polled(client: Command) {
    let seen: Value = json(client).await;
    let delivered = json!({ "isError": false, "structuredContent": { "order": 7, "city": "Bergen" } });
    assert_eq!(seen["result"], delivered, "{seen}");
    assert_eq!(seen["waiting"]["status"], "working", "{seen}");
    assert!(seen["waiting"]["id"].as_str().unwrap().starts_with("rsl-"), "{seen}");
    assert!(seen["waiting"]["ttlMs"].as_u64().unwrap() > 23 * 60 * 60 * 1000, "{seen}");
    assert!(seen["waiting"]["pollIntervalMs"].as_u64().unwrap() >= 1000, "{seen}");
    assert_eq!(seen["cancelled"]["status"], "cancelled", "{seen}");
    assert_eq!(seen["unknown"], -32602, "{seen}");
}

#[tokio::test]
async fn a_python_client_polls_a_task_to_its_end() {
    let store = tempdir().unwrap();
    let mut client = python_with_tasks("python/tasks.py");
    client.args([SERVERS, "orders"]).arg(store.path());
    assert_polled(client).await;
}
