//! Requests that are not what the transport expects.

use std::io;

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::{Value, json};

use super::{BOTH, Local, Server, error_of, initialize, request};
use crate::front::http::request::{Accepts, MOST_BODY_BYTES};

#[tokio::test]
async fn a_post_must_accept_json() {
    let server = Server::start().await;
    for (accept, expected) in [
        (BOTH, 200),
        ("application/json", 200),
        ("Application/JSON;q=0.5, text/event-stream", 200),
        ("text/event-stream", 406),
        ("*/*", 406),
        ("application/json;q=0, text/event-stream", 406),
        ("", 406),
    ] {
        let post = server.http.post(&server.url).header("accept", accept).json(&initialize());
        assert_eq!(post.send().await.unwrap().status(), expected, "{accept}");
    }
}

#[test]
fn a_type_with_the_weight_zero_is_not_accepted() {
    let of = |value: &str| {
        let accepts = Accepts::of(&[("accept".parse().unwrap(), value.parse().unwrap())].into_iter().collect());
        (accepts.json, accepts.events)
    };
    assert_eq!(of("application/json;q=0.0, text/event-stream; charset=x; q=0.001"), (false, true));
    assert_eq!(of("application/json; Q=0,text/event-stream;q=1"), (false, true));
    assert_eq!(of("application/json;q=x"), (true, false));
}

#[tokio::test]
async fn a_get_must_accept_event_streams() {
    let server = Server::start().await;
    let session = server.session().await;
    let get = server.http.get(&server.url).header("accept", "application/json").header("mcp-session-id", session);
    assert_eq!(get.send().await.unwrap().status(), 406);
}

#[tokio::test]
async fn a_post_must_have_json() {
    let server = Server::start().await;
    for (content_type, expected) in [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/jsonp", 415),
        ("", 415),
    ] {
        let post = server.http.post(&server.url).header("accept", BOTH).header("content-type", content_type);
        assert_eq!(post.body(initialize().to_string()).send().await.unwrap().status(), expected, "{content_type}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_a_message_is_refused_with_the_code_of_json_rpc() {
    let server = Server::start().await;
    for (body, code) in [
        (&b"{"[..], -32_700),
        (b"", -32_700),
        (b"{\"a\":\"\xff\"}", -32_700),
        (b"[{]", -32_700),
        (b"{}", -32_600),
        (b"1", -32_600),
        (b"[]", -32_600),
        (b"[1]", -32_600),
        (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32_600),
        (br#"{"jsonrpc":"2.0","id":1}"#, -32_600),
    ] {
        let post = server.http.post(&server.url).header("accept", BOTH).header("content-type", "application/json");
        let response = post.body(body.to_vec()).send().await.unwrap();
        assert_eq!(error_of(response).await, (400, code, Value::Null), "{}", String::from_utf8_lossy(body));
    }
}

#[tokio::test]
async fn a_body_may_have_16_mib() {
    let local = Local::new();
    let session = local.session().await;
    for (size, expected) in [(MOST_BODY_BYTES, 200), (MOST_BODY_BYTES + 1, 413)] {
        let text = request(1, "any", &json!({ "text": "" })).to_string();
        let text = text.replacen("\"\"", &format!("\"{}\"", "x".repeat(size - text.len())), 1);
        assert_eq!(text.len(), size);
        let (first, rest) = text.split_at(size / 3);
        let frames = [first, rest].map(|part| Ok::<_, io::Error>(Bytes::copy_from_slice(part.as_bytes())));
        let headers = [("accept", BOTH), ("content-type", "application/json"), ("mcp-session-id", &session)];
        let response = local.send("POST", &headers, Body::from_stream(stream::iter(frames))).await;
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let local = Local::new();
    let frames = [Ok(Bytes::from_static(b"{")), Err(io::Error::other("reset"))];
    let headers = [("accept", BOTH), ("content-type", "application/json")];
    let response = local.send("POST", &headers, Body::from_stream(stream::iter(frames))).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn an_unsupported_protocol_version_is_refused() {
    let server = Server::start().await;
    let session = server.session().await;
    for version in ["1999-01-01", "2025-03-27", "2026-13-01", "2026-07-32", "2026-7-28", "2026-07-28x", "latest", ""] {
        let post = server.post_in(&session, &request(7, "any", &json!({}))).header("mcp-protocol-version", version);
        let response = post.send().await.unwrap();
        assert_eq!(response.status(), 400, "{version}");
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["error"]["code"], &body["id"]), (&json!(-32_022), &json!(7)), "{version}");
        assert_eq!(body["error"]["data"]["requested"], version);
        let get = server.get(&session).header("mcp-protocol-version", version).send().await.unwrap();
        assert_eq!(get.status(), 400, "{version}");
    }
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let post = server.post_in(&session, &request(7, "any", &json!({}))).header("mcp-protocol-version", version);
        assert_eq!(post.send().await.unwrap().status(), 200, "{version}");
    }
}
