//! Streams of responses that end early.

use std::time::Instant;

use super::*;
use crate::link::Reason;

/// An event with an id and without data, which also sets the wait before the next connection.
fn priming(id: &str, retry: u32) -> String {
    format!("id: {id}\nretry: {retry}\ndata:\n\n")
}

#[tokio::test]
async fn a_stream_with_ids_is_resumed_after_the_wait_that_the_server_set() {
    for is_broken in [false, true] {
        let server = Server::start(move |seen| match seen.call().as_str() {
            "tools/call" if is_broken => broken_events([priming("a", 300)]),
            "tools/call" => events([priming("a", 300)]),
            "GET" if seen.header("last-event-id") == Some("a") => events([format!("id: b\n{}", event(&changed()))]),
            "GET" if seen.header("last-event-id") == Some("b") => {
                open_events([event(Message::result_of("1", "{}").text())])
            }
            _ => legacy(seen).unwrap_or_else(|| status(405)),
        })
        .await;
        let mut link = server.link();
        link.send(&initialize()).await.expect("a response");
        link.next().await;
        let start = Instant::now();
        link.send(&call("1")).await.expect("a response");
        assert!(start.elapsed() >= Duration::from_millis(600), "two waits: {:?}", start.elapsed());
        assert_eq!(link.received(), [changed(), Message::result_of("1", "{}").text().to_owned()]);
        let resumed = server.calls("GET");
        assert_eq!(resumed.len(), 2);
        assert!(resumed.iter().all(|seen| seen.header("mcp-session-id") == Some("session-1")));
        assert_eq!(server.calls("tools/call").len(), 1, "the request is not sent again");
    }
}

#[tokio::test]
async fn a_stream_that_brings_nothing_new_is_resumed_three_times() {
    for is_available in [false, true] {
        let server = Server::start(move |seen| match seen.call().as_str() {
            "tools/call" => events([priming("a", 10)]),
            _ if is_available => events([]),
            _ => status(503),
        })
        .await;
        let failure = server.link().failure(&call("1")).await;
        assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Lost, false), "{failure:?}");
        assert_eq!(server.calls("GET").len(), 3);
    }
}

#[tokio::test]
async fn a_stream_that_the_server_does_not_resume_fails() {
    for code in [404, 405] {
        let server = Server::start(move |seen| match seen.call().as_str() {
            "tools/call" => events([priming("a", 10)]),
            _ => status(code),
        })
        .await;
        let failure = server.link().failure(&call("1")).await;
        assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Lost, false), "{failure:?}");
        assert!(failure.message.contains("could not be resumed"), "{failure:?}");
        assert_eq!(server.calls("GET").len(), 1);
    }
}
