//! Requests that are answered.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[tokio::test]
async fn a_session_begins_with_initialize_and_later_requests_carry_it() {
    for is_stream in [false, true] {
        let server = Server::start(move |seen| match seen.call().as_str() {
            "initialize" if is_stream => {
                let result = r#"{"protocolVersion":"2025-06-18"}"#;
                let text = Message::result_of(&seen.id(), result).text().to_owned();
                with_header(events([event(&changed()), event(&text)]), "mcp-session-id", "session-1")
            }
            "tools/call" => json_body(seen.result()),
            _ => legacy(seen).unwrap_or_else(|| status(405)),
        })
        .await;
        let link = server.link();
        link.send(&initialize()).await.expect("a response");
        link.send(&call("1")).await.expect("a response");
        let seen = server.seen();
        assert_eq!([seen[0].header("mcp-session-id"), seen[0].header("mcp-protocol-version")], [None, None]);
        assert_eq!(seen[0].header("accept"), Some("application/json, text/event-stream"));
        assert_eq!(seen[0].header("content-type"), Some("application/json"));
        assert_eq!(seen[1].header("mcp-session-id"), Some("session-1"));
        assert_eq!(seen[1].header("mcp-protocol-version"), Some("2025-06-18"));
        assert_eq!(seen[1].header("mcp-method"), None, "that header belongs to the modern era");
        assert_eq!(seen[1].body, call("1").text());
    }
}

#[tokio::test]
async fn every_request_carries_the_headers_of_the_endpoint() {
    let server = Server::start(|seen| legacy(seen).unwrap_or_else(|| json_body(seen.result()))).await;
    let url = server.url.replace("http://", "http://ann:pw@") + "?key=1#part";
    let endpoint = Endpoint::new(&url).expect("a URL").header("X-Team", "a").expect("a header");
    let mut link = link(&endpoint);
    link.initialize().await;
    link.link.close().await;
    let basic = "Basic YW5uOnB3";
    for seen in server.seen() {
        assert_eq!((seen.header("x-team"), seen.header("authorization")), (Some("a"), Some(basic)), "{}", seen.call());
    }
    let token = endpoint.header("authorization", "Bearer t").expect("a header");
    let link = super::link(&token);
    link.send(&call("1")).await.expect("a response");
    let last = server.calls("tools/call").pop().expect("a call");
    assert_eq!(last.headers.get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer t"]);
}

#[tokio::test]
async fn a_json_body_is_one_message_or_a_batch() {
    let server = Server::start(|seen| match seen.id().as_str() {
        "1" => json_body(seen.result().replace("{\"ok\"", "\n{\r\n\"ok\"")),
        _ => json_body(format!("[{},{}]", changed(), seen.result())),
    })
    .await;
    let mut link = server.link();
    link.send(&call("1")).await.expect("a response");
    assert_eq!(link.received(), [r#"{"jsonrpc":"2.0","id":1,"result": {  "ok":true}}"#], "on one line");
    link.send(&call("\"b\"")).await.expect("a response");
    assert_eq!(link.received(), [changed(), r#"{"jsonrpc":"2.0","id":"b","result":{"ok":true}}"#.into()]);
}

#[tokio::test]
async fn the_messages_of_a_stream_come_in_order_and_what_is_no_message_is_junk() {
    let progress = |n: u8| {
        Message::notification("notifications/progress", &json!({ "progressToken": 1, "progress": n })).text().to_owned()
    };
    let server = Server::start(move |seen| {
        let other = Message::result_of("99", "{}").text().to_owned();
        let texts = [progress(1), "no JSON".into(), other, progress(2), seen.result()];
        open_events(texts.iter().map(|text| event(text)))
    })
    .await;
    let mut link = server.link();
    link.send(&call("1")).await.expect("a response, although the stream stays open");
    let other = Message::result_of("99", "{}").text().to_owned();
    let result = Message::result_of("1", r#"{"ok":true}"#).text().to_owned();
    assert_eq!(link.received(), [progress(1), "junk: no JSON".into(), other, progress(2), result]);
}

#[tokio::test]
async fn calls_one_after_the_other_use_one_connection() {
    let server = Server::start(|seen| {
        let (first, result) = (changed(), seen.result());
        // The end of the stream comes a little after the response.
        let end = stream::once(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            ": end\n\n".to_owned()
        });
        streamed(stream::iter([event(&first), event(&result)]).chain(end))
    })
    .await;
    let link = server.link();
    for id in ["1", "2", "3"] {
        link.send(&call(id)).await.expect("a response");
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let peers: std::collections::HashSet<_> = server.seen().iter().map(|seen| seen.peer).collect();
    assert_eq!(peers.len(), 1);
}

#[tokio::test]
async fn an_exchange_can_run_in_a_task() {
    let server = Server::start(|seen| json_body(seen.result())).await;
    let link = Arc::new(server.link().link);
    let sent = tokio::spawn(async move { link.send(&call("1")).await });
    assert_eq!(timeout(PATIENCE, sent).await.expect("ends").expect("no panic"), Ok(()));
}

#[tokio::test]
async fn a_notification_is_accepted_whatever_the_body_is() {
    let server = Server::start(|seen| match seen.call().as_str() {
        "notifications/a" => status(202),
        "notifications/b" => json_body("{}"),
        _ => status(500),
    })
    .await;
    let mut link = server.link();
    for (method, is_accepted) in [("notifications/a", true), ("notifications/b", true), ("notifications/c", false)] {
        let sent = link.send(&Message::notification(method, &json!({}))).await;
        assert_eq!(sent.is_ok(), is_accepted, "{method}");
    }
    link.send(&Message::result_of("5", "{}")).await.expect_err("a response is refused like a notification");
    assert_eq!(link.received(), [] as [String; 0]);
}

#[tokio::test]
async fn an_error_status_with_a_response_to_the_request_is_an_answer() {
    let server = Server::start(|seen| {
        let id = if seen.id() == "1" { "1" } else { "7" };
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32602,"message":"no such tool"}}}}"#);
        with_body(400, "application/json", text)
    })
    .await;
    let mut link = server.link();
    link.send(&call("1")).await.expect("an answer");
    assert!(link.next().await.contains("-32602"));
    let failure = link.failure(&call("2")).await;
    assert!(!failure.is_unprocessed && failure.message.contains("no such tool"), "{failure:?}");
    assert_eq!(link.received(), [] as [String; 0]);
}

#[tokio::test]
async fn the_rejection_of_discover_reaches_the_client() {
    let server = Server::start(|seen| {
        let text = r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Server not initialized"},"id":null}"#;
        match seen.id().as_str() {
            "1" => with_body(400, "application/json", text),
            "2" => status(405),
            _ => status(503),
        }
    })
    .await;
    let mut link = server.link();
    let discover = |id| Message::request(id, "server/discover", &json!({}));
    link.send(&discover("1")).await.expect("an answer");
    let expected = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Server not initialized"}}"#;
    assert_eq!(link.next().await, expected);
    link.send(&discover("2")).await.expect("an answer");
    let answer = Message::parse(link.next().await).expect("a message");
    assert!(answer.id() == Some("2") && answer.error().is_some_and(|error| error.contains("405")), "{answer:?}");
    link.failure(&discover("3")).await;
}

#[tokio::test]
async fn redirects_are_followed_at_the_same_origin_only() {
    let other = Server::start(|seen| json_body(seen.result())).await;
    let target = other.url.clone() + "?secret=1";
    let count = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |seen| {
        let location = match (seen.id().as_str(), count.fetch_add(1, Ordering::Relaxed)) {
            ("1", 0) => "/elsewhere",
            ("1", _) => return json_body(seen.result()),
            _ => &target,
        };
        let mut response = status(307);
        response.headers_mut().insert("location", location.parse().expect("a value"));
        response
    })
    .await;
    let mut link = server.link();
    link.send(&call("1")).await.expect("a response");
    assert_eq!(link.received().len(), 1);
    let failure = link.failure(&call("2")).await;
    assert!(failure.message.contains(other.url.trim_end_matches("/mcp")), "{failure:?}");
    assert!(!failure.message.contains("secret"), "{failure:?}");
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn an_endpoint_shows_no_secret_and_refuses_what_the_transport_sets() {
    let endpoint = Endpoint::new("https://ann:pw@example.org:8443/path?key=value").expect("a URL");
    let endpoint = endpoint.header("X-Key", "abc").expect("a header");
    assert_eq!(format!("{endpoint:?}"), r#"Endpoint { origin: "https://example.org:8443", headers: ["x-key"] }"#);
    for name in ["Mcp-Session-Id", "accept", "Mcp-Param-Region"] {
        let refused = endpoint.clone().header(name, "secret").expect_err("reserved").to_string();
        assert!(refused.contains(&name.to_lowercase()) && !refused.contains("secret"), "{refused}");
    }
    assert!(!endpoint.clone().header("x-key", "secret\n").expect_err("a line break").to_string().contains("secret"));
    assert!(endpoint.header("x key", "a").is_err());
    for url in ["", "example.org", "file:///etc/passwd", "http://", "ws://example.org"] {
        assert!(Endpoint::new(url).is_err(), "{url:?}");
    }
}
