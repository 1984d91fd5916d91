//! Requests without a session.

use serde_json::{Value, json};

use super::{Events, Server, content_type, error_of, notification};

const VERSION: &str = "2026-07-28";

fn request(method: &str, params: &Value) -> Value {
    let mut message = super::request(1, method, params);
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(VERSION);
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    message
}

/// A `POST` with the headers that belong to the message.
fn post(server: &Server, message: &Value) -> reqwest::RequestBuilder {
    let post = server.post(message).header("mcp-protocol-version", VERSION);
    post.header("mcp-method", message["method"].as_str().unwrap())
}

#[tokio::test]
async fn each_request_has_its_own_session_of_the_service_and_no_id() {
    let server = Server::start().await;
    for count in 1..=2 {
        let response = post(&server, &request("any", &json!({}))).send().await.unwrap();
        assert!(!response.headers().contains_key("mcp-session-id"));
        assert_eq!(content_type(response.headers()), "application/json");
        assert_eq!(response.json::<Value>().await.unwrap()["result"], json!({ "method": "any" }));
        server.service.until("closed", count).await;
        assert_eq!(server.service.count("opened"), count);
    }
}

#[tokio::test]
async fn its_stream_has_all_messages_and_no_event_ids() {
    let server = Server::start().await;
    let mut events = Events::of(post(&server, &request("announce", &json!({}))).send().await.unwrap());
    let (id, data) = events.next().await.unwrap();
    assert!(id.is_none() && data.contains("notifications/message"), "{data}");
    let log = notification("notifications/message", &json!({ "data": "more" }));
    server.service.push(&log).await;
    assert_eq!(events.message().await, log);
    server.service.release.add_permits(1);
    assert_eq!(events.message().await["result"], json!({ "announced": true }));
    assert!(events.next().await.is_none());
    server.service.until("closed", 1).await;
    assert_eq!(server.service.count("cancelled"), 0);
}

#[tokio::test]
async fn a_client_that_disconnects_before_the_response_cancels() {
    let server = Server::start().await;
    let slow = tokio::spawn(post(&server, &request("slow", &json!({}))).send());
    server.service.until("slow", 1).await;
    slow.abort();
    server.service.until("cancelled", 1).await;
    server.service.until("closed", 1).await;
}

#[tokio::test]
async fn a_client_that_disconnects_from_the_stream_cancels() {
    let server = Server::start().await;
    let mut events = Events::of(post(&server, &request("announce", &json!({}))).send().await.unwrap());
    events.message().await;
    assert_eq!(server.service.count("cancelled"), 0);
    drop(events);
    server.service.until("cancelled", 1).await;
    server.service.until("closed", 1).await;
}

#[tokio::test]
async fn a_notification_is_accepted_and_passed_on() {
    let server = Server::start().await;
    let message = notification("notifications/anything", &json!({}));
    assert_eq!(post(&server, &message).send().await.unwrap().status(), 202);
    assert_eq!(server.service.count("notifications/anything"), 1);
    server.service.until("closed", 1).await;
}

#[tokio::test]
async fn there_are_no_batches_no_responses_and_no_sessions() {
    let server = Server::start().await;
    let session = server.session().await;
    let send = |message: Value| server.post(&message).header("mcp-protocol-version", VERSION).send();
    let batch = send(json!([request("any", &json!({}))])).await.unwrap();
    assert_eq!(error_of(batch).await, (400, -32_600, json!(1)));
    let response = send(json!({ "jsonrpc": "2.0", "id": 1, "result": {} })).await.unwrap();
    assert_eq!(error_of(response).await, (400, -32_600, Value::Null));
    for request in [server.get(&session), server.delete(&session)] {
        let response = request.header("mcp-protocol-version", VERSION).send().await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"POST".parse().unwrap()));
    }
    assert_eq!(server.service.count("any"), 0);
}

#[tokio::test]
async fn a_later_version_is_like_the_first_one_without_sessions() {
    let server = Server::start().await;
    let mut message = request("any", &json!({}));
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2027-01-31");
    let post = server.post(&message).header("mcp-protocol-version", "2027-01-31").header("mcp-method", "any");
    let response = post.send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("mcp-session-id")), (200, None));
}

#[tokio::test]
async fn a_version_that_header_and_metadata_agree_on_is_for_the_server_to_refuse() {
    let server = Server::start().await;
    let mut message = request("any", &json!({}));
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("1900-01-01");
    let response = server.post(&message).header("mcp-protocol-version", "1900-01-01").send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["result"], json!({ "method": "any" }));
}

#[tokio::test]
async fn the_version_of_the_header_is_that_of_the_metadata() {
    let server = Server::start().await;
    let message = request("any", &json!({}));
    let response = server.post(&message).send().await.unwrap();
    assert_eq!(error_of(response).await, (400, -32_020, json!(1)));
    let other = server.post(&message).header("mcp-protocol-version", "2027-01-31").header("mcp-method", "any");
    assert_eq!(error_of(other.send().await.unwrap()).await, (400, -32_020, json!(1)));
    // Without metadata there is nothing that a server can rely on.
    for message in [super::request(1, "any", &json!({})), super::request(1, "server/discover", &json!({}))] {
        let response = post(&server, &message).send().await.unwrap();
        assert_eq!(error_of(response).await, (400, -32_602, json!(1)));
    }
    let discover = server.post(&super::request(1, "server/discover", &json!({}))).send().await.unwrap();
    assert_eq!(error_of(discover).await, (400, -32_602, json!(1)));
    assert_eq!(server.service.count("opened"), 0);
}

#[tokio::test]
async fn the_headers_of_method_and_name_agree_with_the_message() {
    let server = Server::start().await;
    let call = request("tools/call", &json!({ "name": "wéather", "arguments": {} }));
    let read = request("resources/read", &json!({ "uri": "file:///x" }));
    let task = request("tasks/get", &json!({ "taskId": "t1" }));
    let any = request("any", &json!({ "name": "n" }));
    let encoded = "=?base64?d8OpYXRoZXI=?=";
    for (message, headers, expected) in [
        (&call, &[("mcp-method", "tools/call"), ("mcp-name", encoded)][..], 200),
        (&call, &[("mcp-method", "tools/call"), ("mcp-name", "weather")], 400),
        (&call, &[("mcp-method", "tools/call"), ("mcp-name", "=?base64?!?=")], 400),
        (&call, &[("mcp-method", "tools/call")], 400),
        (&call, &[("mcp-method", "tools/list"), ("mcp-name", encoded)], 400),
        (&call, &[("mcp-name", encoded)], 400),
        (&call, &[("mcp-method", "tools/call"), ("mcp-method", "tools/call"), ("mcp-name", encoded)], 400),
        (&call, &[("mcp-method", "tools/call"), ("mcp-name", encoded), ("mcp-name", "x")], 400),
        (&read, &[("mcp-method", "resources/read"), ("mcp-name", "file:///x")], 200),
        (&read, &[("mcp-method", "resources/read"), ("mcp-name", "file:///y")], 400),
        (&task, &[("mcp-method", "tasks/get"), ("mcp-name", "t1")], 200),
        (&task, &[("mcp-method", "tasks/get"), ("mcp-name", "t2")], 400),
        (&any, &[("mcp-method", "any")], 200),
    ] {
        let mut post = server.post(message).header("mcp-protocol-version", VERSION);
        for (name, value) in headers {
            post = post.header(*name, *value);
        }
        let response = post.send().await.unwrap();
        assert_eq!(response.status(), expected, "{headers:?}");
        if expected == 400 {
            assert_eq!(error_of(response).await, (400, -32_020, json!(1)), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn an_error_has_the_status_of_its_code() {
    let server = Server::start().await;
    let refused = post(&server, &request("refuse", &json!({}))).send().await.unwrap();
    assert_eq!(error_of(refused).await, (404, -32_601, json!(1)));
    let malformed = post(&server, &request("malformed", &json!({}))).send().await.unwrap();
    assert_eq!(error_of(malformed).await, (400, -32_600, json!(1)));
    let invalid = post(&server, &request("invalid", &json!({}))).send().await.unwrap();
    assert_eq!(error_of(invalid).await, (200, -32_602, json!(1)));
    let mut without_capabilities = request("invalid", &json!({}));
    without_capabilities["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = Value::Null;
    let invalid = post(&server, &without_capabilities).send().await.unwrap();
    assert_eq!(error_of(invalid).await, (400, -32_602, json!(1)));
    // In a session, an error has the status 200.
    let session = server.session().await;
    let refused = server.post_in(&session, &super::request(1, "refuse", &json!({}))).send().await.unwrap();
    assert_eq!(error_of(refused).await, (200, -32_601, json!(1)));
}

#[tokio::test]
async fn initialize_and_ping_are_methods_that_do_not_exist() {
    let server = Server::start().await;
    for method in ["initialize", "ping"] {
        let response = post(&server, &request(method, &json!({}))).send().await.unwrap();
        assert_eq!(error_of(response).await, (404, -32_601, json!(1)), "{method}");
    }
    assert_eq!(server.service.count("opened"), 0);
    // A client that tries `initialize` after another version gets a session, whose `ping` exists.
    let opened = server.post(&super::initialize()).header("mcp-protocol-version", VERSION).send().await.unwrap();
    let session = opened.headers()["mcp-session-id"].to_str().unwrap();
    let ping = server.post_in(session, &super::request(1, "ping", &json!({}))).send().await.unwrap();
    assert_eq!(ping.status(), 200);
}

#[tokio::test]
async fn the_headers_of_arguments_agree_with_a_call_after_the_tools_were_listed() {
    let server = Server::start().await;
    let call = |arguments: &Value, headers: &[(&str, &str)]| {
        let message = request("tools/call", &json!({ "name": "query", "arguments": arguments }));
        let named = post(&server, &message).header("mcp-name", "query");
        headers.iter().fold(named, |post, (name, value)| post.header(*name, *value)).send()
    };
    let hello = json!({ "region": "Hello" });
    let unknown = call(&hello, &[("mcp-param-region", "other")]).await.unwrap();
    assert_eq!(unknown.status(), 200, "nothing is known of a tool before it was listed");
    assert_eq!(post(&server, &request("tools/list", &json!({}))).send().await.unwrap().status(), 200);
    for (arguments, headers, expected) in [
        (&hello, &[("Mcp-Param-Region", "Hello")][..], 200),
        (&hello, &[("Mcp-Param-Region", "=?base64?SGVsbG8=?=")], 200),
        (&hello, &[("Mcp-Param-Region", "=?base64?SGVsbG8?=")], 400),
        (&hello, &[("Mcp-Param-Region", "=?base64?SGVs!!!bG8=?=")], 400),
        (&hello, &[("Mcp-Param-Region", "other")], 400),
        (&hello, &[("Mcp-Param-Region", "Hello"), ("Mcp-Param-Region", "Hello")], 400),
        (&hello, &[("Mcp-Param-Region", "Hello"), ("Mcp-Param-Limit", "1")], 400),
        (&hello, &[], 400),
        (&json!({ "region": null }), &[], 200),
        (&json!({}), &[("Mcp-Param-Region", "Hello")], 400),
        (&json!({ "region": "SGVsbG8=" }), &[("Mcp-Param-Region", "SGVsbG8=")], 200),
        (&json!({ "region": "=?base64?SGVsbG8=" }), &[("Mcp-Param-Region", "=?base64?SGVsbG8=")], 200),
        (&json!({ "limit": 42 }), &[("Mcp-Param-Limit", "42.0")], 200),
        (&json!({ "limit": 42 }), &[("Mcp-Param-Limit", "43")], 400),
    ] {
        let response = call(arguments, headers).await.unwrap();
        assert_eq!(response.status(), expected, "{arguments} {headers:?}");
        if expected == 400 {
            assert_eq!(error_of(response).await, (400, -32_020, json!(1)), "{arguments} {headers:?}");
        }
    }
}
