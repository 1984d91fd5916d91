//! Requests that are not answered.

use std::time::Instant;

use tokio::io::AsyncReadExt;

use super::*;
use crate::lines::MAX_MESSAGE;
use crate::link::Reason;

/// Starts a server of the legacy era whose calls have one answer, and returns how a call fails.
async fn fails_in_session(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> SendError {
    let server = Server::start(move |seen| legacy(seen).unwrap_or_else(&answer)).await;
    let mut link = server.link();
    link.initialize().await;
    link.failure(&call("1")).await
}

async fn fails(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> SendError {
    let server = Server::start(move |_| answer()).await;
    server.link().failure(&call("1")).await
}

#[tokio::test]
async fn a_session_that_the_server_does_not_know_has_ended() {
    let unknown = r#"{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}"#;
    let with_id = unknown.replace("null", "1");
    let answers = [(404, String::new()), (404, with_id), (400, unknown.into())];
    for (code, body) in answers {
        let failure = fails_in_session(move || with_body(code, "application/json", body.clone())).await;
        assert_eq!((failure.reason, failure.is_unprocessed), (Reason::SessionEnded, true), "{failure:?}");
    }
    let failure = fails_in_session(|| with_body(400, "text/plain", "Bad Request: No valid session ID provided")).await;
    assert_eq!((failure.reason, failure.is_unprocessed), (Reason::SessionEnded, true));
    // A tool may speak of sessions too, after it has acted.
    for said in ["bad arguments", "the checkout session could not be confirmed"] {
        let failure = fails_in_session(move || with_body(400, "text/plain", said)).await;
        assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Unexpected, false), "{said}");
    }
}

#[tokio::test]
async fn an_error_without_an_id_in_a_refusal_is_the_response_to_the_request() {
    let error = r#"{"code":-32000,"message":"bad \"arguments\"","data":{"field":"x"}}"#;
    for (status, id) in [(400, r#""id":null,"#), (404, ""), (422, r#""id":"server-error","#)] {
        let body = format!(r#"{{"jsonrpc":"2.0",{id}"error":{error}}}"#);
        let server = Server::start(move |_| with_body(status, "application/json", body.clone())).await;
        let mut link = server.link();
        link.send(&call(r#""a""#)).await.expect("a response");
        assert_eq!(link.received(), [format!(r#"{{"jsonrpc":"2.0","id":"a","error":{error}}}"#)]);
    }
}

#[tokio::test]
async fn an_error_without_an_id_does_not_hide_what_a_status_means() {
    let body = r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"no"},"id":null}"#;
    for (code, reason) in [
        (401, Reason::Unauthorized),
        (403, Reason::Unauthorized),
        (429, Reason::TooManyRequests),
        (500, Reason::Unexpected),
        (503, Reason::Unavailable),
    ] {
        let failure = fails(move || with_body(code, "application/json", body)).await;
        assert_eq!(failure.reason, reason, "{code}");
    }
    let in_session = fails_in_session(move || with_body(404, "application/json", body)).await;
    assert_eq!(in_session.reason, Reason::SessionEnded);
    for other in [body.replace("null", "7"), body.replace("-32000", "\"text\"")] {
        let failure = fails(move || with_body(400, "application/json", other.clone())).await;
        assert_eq!(failure.reason, Reason::Unexpected, "{failure:?}");
    }
}

#[tokio::test]
async fn statuses_have_reasons_and_say_whether_the_request_was_processed() {
    let second = Some(Duration::from_secs(1));
    for (code, reason, is_unprocessed, retry_after) in [
        (401, Reason::Unauthorized, true, None),
        (403, Reason::Unauthorized, true, None),
        (429, Reason::TooManyRequests, true, second),
        (502, Reason::Unavailable, false, second),
        (503, Reason::Unavailable, false, second),
        (504, Reason::Unavailable, false, second),
        (404, Reason::Unexpected, false, None),
        (405, Reason::Unexpected, false, None),
        (500, Reason::Unexpected, false, None),
        (302, Reason::Unexpected, false, None),
    ] {
        let failure = fails(move || with_header(status(code), "retry-after", "1")).await;
        assert_eq!((failure.reason, failure.is_unprocessed), (reason, is_unprocessed), "{code}");
        assert_eq!(failure.retry_after, retry_after, "{code}");
        assert!(failure.message.contains(&code.to_string()), "{failure:?}");
    }
    let dated = fails(|| with_header(status(429), "retry-after", "Fri, 01 Jan 2021 00:00:00 GMT")).await;
    assert_eq!(dated.retry_after, Some(Duration::ZERO));
}

#[tokio::test]
async fn an_error_shows_the_beginning_of_the_body_without_secrets() {
    let body = format!("<p>\n  Authorization: Bearer abcdef\n</p>{}", " word".repeat(1000));
    let failure = fails(move || with_body(500, "text/html", body.clone())).await;
    let prefix = "the server rejected the request (HTTP status 500): <p> Authorization: ***";
    assert!(failure.message.starts_with(prefix), "{failure:?}");
    assert!(!failure.message.contains("abcdef") && failure.message.chars().count() < 300, "{failure:?}");
}

#[tokio::test]
async fn a_body_that_does_not_end_delays_no_error_for_ever() {
    let body = || Body::from_stream(stream::iter([Ok::<_, std::io::Error>("wait")]).chain(stream::pending()));
    let server = Server::start(move |_| with_body(500, "text/plain", body())).await;
    let link = server.link();
    let failed = timeout(PATIENCE * 2, link.link.send(&call("1"))).await.expect("ends");
    assert!(failed.expect_err("no response").message.ends_with("(HTTP status 500): wait"));
}

#[tokio::test]
async fn a_successful_status_without_the_response_is_an_error() {
    for body in ["", "<html>", r#"{"jsonrpc":"2.0","id":2,"result":{}}"#] {
        let failure = fails(move || json_body(body)).await;
        assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Unexpected, false), "{body}");
        assert_eq!(failure.message.contains("<html>"), body == "<html>", "{failure:?}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_without_the_response_fails_at_once() {
    for is_broken in [false, true] {
        let server =
            Server::start(
                move |_| {
                    if is_broken { broken_events([event(&changed())]) } else { events([event(&changed())]) }
                },
            )
            .await;
        let mut link = server.link();
        let start = Instant::now();
        let failure = link.failure(&call("1")).await;
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Lost, false), "{failure:?}");
        assert_eq!(link.received(), [changed()]);
        assert_eq!(server.seen().len(), 1, "it is not sent again");
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_has_processed_nothing() {
    let server = Server::start(|_| status(200)).await;
    let url = server.url.replace("http://", "http://ann:pw@") + "?key=secret";
    server.task.abort();
    while !server.task.is_finished() {
        tokio::task::yield_now().await;
    }
    let failure = link(&Endpoint::new(&url).expect("a URL")).failure(&call("1")).await;
    assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Lost, true), "{failure:?}");
    assert!(failure.message.starts_with("cannot connect to http://127.0.0.1:"), "{failure:?}");
    assert!(failure.message.contains("refused") && !failure.message.contains("mcp"), "{failure:?}");
}

#[tokio::test]
async fn a_server_without_tls_has_processed_nothing_of_an_encrypted_request() {
    let server = Server::start(|_| status(200)).await;
    let endpoint = Endpoint::new(&server.url.replace("http://", "https://")).expect("a URL");
    let (sender, _received) = unbounded_channel();
    let link = match HttpLink::open(&endpoint, Arc::new(Inbox(sender))) {
        Ok(link) => link,
        // A host without certificates.
        Err(error) => return assert!(error.message.contains("certificates"), "{error:?}"),
    };
    let failure = timeout(PATIENCE, link.send(&call("1"))).await.expect("ends").expect_err("no TLS");
    assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Lost, true), "{failure:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_may_have_processed_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let mut buffer = [0; 1024];
        assert_ne!(connection.read(&mut buffer).await.expect("a request"), 0);
    });
    let failure = link(&Endpoint::new(&url).expect("a URL")).failure(&call("1")).await;
    assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Lost, false), "{failure:?}");
}

#[tokio::test]
async fn an_over_long_message_ends_the_exchange() {
    let long = || format!(r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#, "x".repeat(MAX_MESSAGE));
    for is_stream in [false, true] {
        let server = Server::start(move |seen| match seen.id().as_str() {
            "1" if is_stream => open_events([event(&long())]),
            "1" => json_body(long()),
            // A little less than the limit passes.
            _ => json_body(seen.result().replace("true", &format!("\"{}\"", "x".repeat(MAX_MESSAGE - 100)))),
        })
        .await;
        let mut link = server.link();
        let failure = link.failure(&call("1")).await;
        assert_eq!((failure.reason, failure.is_unprocessed), (Reason::Unexpected, false), "{failure:?}");
        assert!(failure.message.contains("16 MiB"), "{failure:?}");
        let received = link.received();
        assert!(received.len() == 1 && received[0].starts_with("junk: "), "{} events", received.len());
        assert!(received[0].len() <= 210);
        link.send(&call("2")).await.expect("a long response");
    }
}
