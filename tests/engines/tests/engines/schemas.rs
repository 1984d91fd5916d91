//! Checks the tools of the examples with a TypeScript client.

use serde_json::json;

use crate::{SERVERS, http_server::Server, json, node};

#[tokio::test]
async fn the_typescript_client_and_ajv_compile_the_schemas_of_every_example_without_a_complaint() {
    for (server, tools) in [
        ("api-debugger", 1),
        ("auditor", 2),
        ("make-server", 6),
        ("quickstart", 8),
        ("scenario-sync", 4),
        ("search-server", 1),
        ("wiki-issues", 8),
    ] {
        let mut client = node("typescript/schemas.js");
        client.args([SERVERS, server, "--demo"]);
        let seen = json(client).await;
        assert_eq!(seen["tools"].as_array().map(Vec::len), Some(tools), "{server}: {seen}");
        assert_eq!(seen["complaints"], json!([]), "{server}");
    }
}

#[tokio::test]
async fn the_typescript_client_and_ajv_compile_the_schemas_over_http_without_a_complaint() {
    let server = Server::start().await;
    let mut client = node("typescript/schemas.js");
    client.arg(format!("{}/mcp", server.origin));
    let seen = json(client).await;
    assert_eq!(seen["tools"].as_array().map(Vec::len), Some(6), "{seen}");
    assert_eq!(seen["complaints"], json!([]));
}
