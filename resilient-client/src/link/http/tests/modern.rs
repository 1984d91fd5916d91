//! The era without sessions.

use reqwest::header::HeaderName;

use super::*;
use crate::link::http::parameters::Parameters;

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

fn request(id: &str, method: &str, mut params: serde_json::Value) -> Message {
    params["_meta"] = json!({ VERSION: "2026-07-28" });
    Message::request(id, method, &params)
}

async fn sent(messages: &[Message]) -> Vec<Seen> {
    let server =
        Server::start(|seen| if seen.body.contains("\"id\"") { json_body(seen.result()) } else { status(202) });
    let server = server.await;
    let link = server.link();
    for message in messages {
        link.send(message).await.expect("accepted");
    }
    server.seen()
}

#[tokio::test]
async fn each_request_names_its_version_method_and_subject() {
    let messages = [
        request("1", "server/discover", json!({})),
        request("2", "tools/call", json!({ "name": "echo", "arguments": {} })),
        request("3", "prompts/get", json!({ "name": "Grüße" })),
        request("4", "resources/read", json!({ "uri": "file:///a b" })),
        request("5", "tasks/get", json!({ "taskId": " 7" })),
        request("6", "tools/list", json!({ "name": "not sent" })),
        Message::notification("notifications/cancelled", &json!({ "requestId": 1 })),
        Message::result_of("8", "{}"),
    ];
    let expected = [
        (Some("server/discover"), None),
        (Some("tools/call"), Some("echo")),
        (Some("prompts/get"), Some("=?base64?R3LDvMOfZQ==?=")),
        (Some("resources/read"), Some("file:///a b")),
        (Some("tasks/get"), Some("=?base64?IDc=?=")),
        (Some("tools/list"), None),
        (Some("notifications/cancelled"), None),
        (None, None),
    ];
    for (seen, expected) in sent(&messages).await.iter().zip(expected) {
        assert_eq!((seen.header("mcp-method"), seen.header("mcp-name")), expected);
        assert_eq!(seen.header("mcp-protocol-version"), Some("2026-07-28"), "{expected:?}");
        assert_eq!(seen.header("mcp-session-id"), None);
    }
}

#[tokio::test]
async fn a_request_of_an_older_version_has_only_the_version() {
    let mut params = json!({ "name": "echo" });
    params["_meta"] = json!({ VERSION: "2025-11-25" });
    let seen = sent(&[Message::request("1", "tools/call", &params), call("2")]).await;
    assert_eq!(seen[0].header("mcp-protocol-version"), Some("2025-11-25"));
    assert!(seen.iter().all(|seen| seen.header("mcp-method").is_none() && seen.header("mcp-name").is_none()));
}

#[tokio::test]
async fn headers_repeat_the_arguments_that_the_list_of_tools_names() {
    let tools = json!({ "tools": [
        { "name": "query", "inputSchema": { "type": "object", "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" },
            "options": { "type": "object", "properties": { "limit": { "type": "integer", "x-mcp-header": "Limit" } } },
            "absent": { "type": "boolean", "x-mcp-header": "Absent" },
            "invalid": { "type": "string", "x-mcp-header": "not a token" },
        } } },
        { "name": "plain", "inputSchema": { "type": "object" } },
    ] });
    let server = Server::start(move |seen| match seen.call().as_str() {
        "tools/list" if seen.body.contains("cursor") => {
            json_body(Message::result_of(&seen.id(), r#"{"tools":[]}"#).text())
        }
        "tools/list" if seen.id() == "1" => json_body(Message::result_of(&seen.id(), &tools.to_string()).text()),
        _ => json_body(seen.result()),
    })
    .await;
    let link = server.link();
    let query = |id| {
        let arguments = json!({ "region": "Köln", "options": { "limit": 5 }, "invalid": "x" });
        request(id, "tools/call", json!({ "name": "query", "arguments": arguments }))
    };
    link.send(&request("1", "tools/list", json!({}))).await.expect("a response");
    link.send(&request("2", "tools/list", json!({ "cursor": "b" }))).await.expect("a response");
    link.send(&query("3")).await.expect("a response");
    link.send(&request("4", "tools/call", json!({ "name": "plain" }))).await.expect("a response");
    link.send(&request("5", "tools/list", json!({}))).await.expect("a response");
    link.send(&query("6")).await.expect("a response");
    let parameters = |seen: &Seen| {
        let names = seen.headers.keys().filter(|name| name.as_str().starts_with("mcp-param-"));
        let mut found: Vec<_> =
            names.map(|name| format!("{name}={}", seen.header(name.as_str()).expect("text"))).collect();
        found.sort();
        found
    };
    let calls = server.calls("tools/call");
    assert_eq!(parameters(&calls[0]), ["mcp-param-limit=5", "mcp-param-region==?base64?S8O2bG4=?="]);
    assert_eq!(parameters(&calls[1]), [] as [String; 0]);
    assert_eq!(parameters(&calls[2]), [] as [String; 0], "the new list has no annotations");
}

#[tokio::test]
async fn a_stream_that_ends_is_not_resumed() {
    let server = Server::start(|_| events(["id: 1\nretry: 10\ndata:\n\n".to_owned()])).await;
    let failure = server.link().failure(&request("1", "tools/call", json!({ "name": "echo" }))).await;
    assert!(!failure.is_unprocessed, "{failure:?}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn only_calls_of_tools_with_valid_annotations_are_checked() {
    let annotated = json!({ "type": "string", "x-mcp-header": "Region" });
    let valid = json!({ "region": annotated });
    let invalid = [
        json!({ "region": annotated, "other": { "type": "string", "x-mcp-header": "not a token" } }),
        json!({ "region": annotated, "other": { "type": "string", "x-mcp-header": "REGION" } }),
        json!({ "region": annotated, "other": { "type": "object", "x-mcp-header": "Other" } }),
        json!({ "region": annotated, "other": { "type": "array", "items": annotated } }),
    ];
    let call = request("1", "tools/call", json!({ "name": "query", "arguments": { "region": "north" } }));
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("mcp-param-region"), "south".parse().expect("a value"));
    let checked = |properties: &serde_json::Value| {
        let tool = json!({ "name": "query", "inputSchema": { "type": "object", "properties": properties } });
        let mut parameters = Parameters::default();
        parameters.learn(&Message::result_of("1", &json!({ "tools": [tool] }).to_string()), true);
        parameters.check(&headers, &call)
    };
    let error = checked(&valid).expect_err("a mismatch");
    assert_eq!(error, "mcp-param-region header does not match the argument `region`");
    for properties in &invalid {
        assert_eq!(checked(properties), Ok(()), "{properties}");
    }
}
