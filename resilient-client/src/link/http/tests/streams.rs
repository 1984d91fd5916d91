//! The stream of the server, and the end of links.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::link::Reason;

/// A stream that stays open, and cancels a token when the client has disconnected.
fn watched(texts: impl IntoIterator<Item = String>, gone: &CancellationToken) -> Response {
    let guard: DropGuard = gone.clone().drop_guard();
    let texts = texts.into_iter().collect::<Vec<_>>();
    // A server notices the end of a connection when it writes.
    let beats = stream::unfold(guard, |guard| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Some((": beat\n\n".to_owned(), guard))
    });
    streamed(stream::iter(texts).chain(beats))
}

async fn ends(gone: &CancellationToken) {
    timeout(PATIENCE, gone.cancelled()).await.expect("the client disconnects");
}

#[tokio::test]
async fn the_stream_opens_after_the_session_was_initialized_and_is_reopened_after_the_last_event() {
    let server = Server::start(|seen| match (seen.call().as_str(), seen.header("last-event-id")) {
        ("GET", None) => broken_events([format!("retry: 100\nid: 7\n{}", event(&changed()))]),
        ("GET", Some("7")) => open_events([event("late")]),
        _ => legacy(seen).unwrap_or_else(|| status(500)),
    })
    .await;
    let mut link = server.link();
    link.send(&initialize()).await.expect("a response");
    link.next().await;
    assert_eq!(server.calls("GET").len(), 0);
    link.send(&Message::notification("notifications/initialized", &json!({}))).await.expect("accepted");
    assert_eq!(link.next().await, changed());
    assert_eq!(link.next().await, "junk: late");
    let opened = server.calls("GET");
    assert_eq!(opened.len(), 2);
    for seen in opened {
        assert_eq!(seen.header("mcp-session-id"), Some("session-1"));
        assert_eq!(seen.header("mcp-protocol-version"), Some("2025-06-18"));
        assert_eq!(seen.header("accept"), Some("text/event-stream"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_available_is_asked_again_and_one_without_a_stream_is_not() {
    let answers = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |seen| match seen.call().as_str() {
        "GET" if answers.fetch_add(1, Ordering::Relaxed) == 0 => status(503),
        "GET" => status(405),
        _ => legacy(seen).unwrap_or_else(|| json_body(seen.result())),
    })
    .await;
    let mut link = server.link();
    link.initialize().await;
    server.wait_for("GET", 2).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(server.calls("GET").len(), 2);
    link.send(&call("1")).await.expect("the link lives");
    assert_eq!(link.received().len(), 1);
}

#[tokio::test]
async fn the_end_of_the_session_is_reported_if_the_stream_had_been_open() {
    let answers = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |seen| match seen.call().as_str() {
        "GET" if answers.fetch_add(1, Ordering::Relaxed) == 0 => events([format!("retry: 10\n{}", event(&changed()))]),
        "GET" => status(404),
        _ => legacy(seen).unwrap_or_else(|| status(500)),
    })
    .await;
    let mut link = server.link();
    link.initialize().await;
    assert_eq!(link.next().await, changed());
    assert!(link.next().await.starts_with("lost: "));
}

#[tokio::test]
async fn a_server_that_has_no_route_for_the_stream_ends_no_session() {
    let server = Server::start(|seen| match seen.call().as_str() {
        "GET" => status(404),
        _ => legacy(seen).unwrap_or_else(|| json_body(seen.result())),
    })
    .await;
    let mut link = server.link();
    link.initialize().await;
    server.wait_for("GET", 1).await;
    link.send(&call("1")).await.expect("the link lives");
    assert_eq!(link.received(), [Message::result_of("1", r#"{"ok":true}"#).text()]);
}

#[tokio::test]
async fn close_ends_the_session_the_stream_and_the_exchanges() {
    let (gone, call_gone) = (CancellationToken::new(), CancellationToken::new());
    let (stream_gone, request_gone) = (gone.clone(), call_gone.clone());
    let server = Server::start(move |seen| match seen.call().as_str() {
        "GET" => watched([], &stream_gone),
        "tools/call" => watched([], &request_gone),
        _ => legacy(seen).unwrap_or_else(|| status(500)),
    })
    .await;
    let mut link = server.link();
    link.initialize().await;
    server.wait_for("GET", 1).await;
    let (message, closing) = (call("1"), async {
        server.wait_for("tools/call", 1).await;
        link.link.close().await;
    });
    let (sent, ()) = tokio::join!(link.send(&message), closing);
    let failure = sent.expect_err("no response");
    assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Lost, false));
    ends(&gone).await;
    ends(&call_gone).await;
    let deleted = server.calls("DELETE");
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].header("mcp-session-id"), Some("session-1"));
    let failure = link.failure(&call("2")).await;
    assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Lost, true));
    assert_eq!(server.calls("tools/call").len(), 1);
}

#[tokio::test]
async fn close_without_a_session_sends_nothing() {
    let server = Server::start(|seen| json_body(seen.result())).await;
    let link = server.link();
    link.send(&call("1")).await.expect("a response");
    link.link.close().await;
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_the_end_of_a_session_delays_it_for_two_seconds() {
    let server = Server::start(|seen| match seen.call().as_str() {
        "DELETE" => silence(),
        _ => legacy(seen).unwrap_or_else(|| status(405)),
    })
    .await;
    let mut link = server.link();
    link.initialize().await;
    let start = Instant::now();
    timeout(PATIENCE, link.link.close()).await.expect("ends");
    assert!((1900..2900).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn dropping_the_link_ends_its_stream() {
    let gone = CancellationToken::new();
    let stream_gone = gone.clone();
    let server = Server::start(move |seen| match seen.call().as_str() {
        "GET" => watched([event(&changed())], &stream_gone),
        _ => legacy(seen).unwrap_or_else(|| status(500)),
    })
    .await;
    let mut link = server.link();
    link.initialize().await;
    assert_eq!(link.next().await, changed());
    let Link { link, mut received } = link;
    drop(link);
    ends(&gone).await;
    let last = timeout(PATIENCE, received.recv()).await.expect("the receiver is dropped with the tasks");
    assert!(last.is_none(), "{last:?}");
}

#[tokio::test]
async fn dropping_the_future_of_a_request_disconnects() {
    let gone = CancellationToken::new();
    let request_gone = gone.clone();
    let server = Server::start(move |_| watched([event(&changed())], &request_gone)).await;
    let mut link = server.link();
    let message = call("1");
    {
        let sending = link.link.send(&message);
        tokio::pin!(sending);
        let received = tokio::select! {
            _ = &mut sending => panic!("there is no response"),
            received = link.received.recv() => received,
        };
        assert!(received.is_some());
        assert!(!gone.is_cancelled());
    }
    ends(&gone).await;
    assert_eq!(link.received(), [] as [String; 0]);
}
