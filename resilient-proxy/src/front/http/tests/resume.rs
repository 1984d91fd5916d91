//! Streams that a client continues with `Last-Event-ID`.

use serde_json::{Value, json};

use super::{Events, Server, notification, request};

fn number(number: usize) -> Value {
    notification("notifications/tools/list_changed", &json!({ "number": number }))
}

async fn resume(server: &Server, session: &str, last: &str) -> Events {
    Events::of(server.get(session).header("last-event-id", last).send().await.unwrap())
}

#[tokio::test]
async fn the_stream_of_get_continues_after_the_last_event_that_was_read() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut general = server.listen(&session).await;
    let mut last = None;
    for n in 0..3 {
        server.service.push(&number(n)).await;
        let (id, data) = general.next().await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&data).unwrap(), number(n));
        last = if n == 0 { id } else { last };
    }
    // The old connection is still open: a client notices first that it broke.
    let mut again = resume(&server, &session, &last.unwrap()).await;
    for n in 1..3 {
        assert_eq!(again.message().await, number(n));
    }
    assert!(general.next().await.is_none());
    server.service.push(&number(3)).await;
    assert_eq!(again.message().await, number(3));
}

#[tokio::test]
async fn the_stream_of_a_request_continues_while_the_request_runs() {
    let server = Server::start().await;
    let session = server.session().await;
    let announce = request(1, "announce", &json!({ "_meta": { "progressToken": "t" } }));
    let mut events = Events::of(server.post_in(&session, &announce).send().await.unwrap());
    let (id, _) = events.next().await.unwrap();
    drop(events);
    let progress = notification("notifications/progress", &json!({ "progressToken": "t", "progress": 1 }));
    server.service.push(&progress).await;
    let mut again = resume(&server, &session, &id.unwrap()).await;
    assert_eq!(again.message().await, progress);
    server.service.release.add_permits(1);
    assert_eq!(again.message().await["result"], json!({ "announced": true }));
    assert!(again.next().await.is_none());
}

#[tokio::test]
async fn the_response_of_a_broken_stream_can_be_read_after_the_request_has_ended() {
    let server = Server::start().await;
    let session = server.session().await;
    let post = server.post_in(&session, &request(1, "announce", &json!({})));
    let mut events = Events::of(post.send().await.unwrap());
    let (id, _) = events.next().await.unwrap();
    let id = id.unwrap();
    drop(events);
    server.service.release.add_permits(1);
    // The same id is free when the request has ended.
    while server.post_in(&session, &request(1, "any", &json!({}))).send().await.unwrap().status() != 200 {}
    for _ in 0..2 {
        let mut again = resume(&server, &session, &id).await;
        assert_eq!(again.message().await["result"], json!({ "announced": true }));
        assert!(again.next().await.is_none());
    }
}

#[tokio::test]
async fn only_the_last_64_messages_are_kept() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut general = server.listen(&session).await;
    for n in 0..70 {
        server.service.push(&number(n)).await;
        assert_eq!(general.message().await, number(n));
    }
    let mut again = resume(&server, &session, "0-0").await;
    assert_eq!(again.message().await, number(6));
}

#[tokio::test]
async fn an_event_that_is_unknown_or_malformed_is_not_resumed() {
    let server = Server::start().await;
    let session = server.session().await;
    assert!(resume(&server, &session, "9-1").await.next().await.is_none());
    for malformed in ["x", "1", "1-", "-1", "1-x", "1-2-3"] {
        let response = server.get(&session).header("last-event-id", malformed).send().await.unwrap();
        assert_eq!(response.status(), 400, "{malformed}");
    }
}

#[tokio::test]
async fn a_session_cannot_read_the_streams_of_another() {
    let server = Server::start().await;
    let session = server.session().await;
    server.listen(&session).await;
    server.service.push(&number(0)).await;
    let other = server.session().await;
    let mut stream = resume(&server, &other, "0-0").await;
    server.service.push(&number(1)).await;
    assert_eq!(stream.message().await, number(1));
}

#[tokio::test]
async fn a_client_that_understands_it_learns_at_once_from_where_to_resume() {
    let server = Server::start().await;
    let session = server.session().await;
    let get = server.get(&session).header("mcp-protocol-version", "2025-11-25");
    let mut general = Events::of(get.send().await.unwrap());
    assert_eq!(general.next().await, Some((Some("0-0".to_owned()), String::new())));
    server.service.push(&number(0)).await;
    assert_eq!(general.next().await.unwrap().0.as_deref(), Some("0-1"));
    drop(general);
    let mut general = loop {
        let response = server.get(&session).header("mcp-protocol-version", "2025-11-25").send().await.unwrap();
        if response.status() == 200 {
            break Events::of(response);
        }
    };
    assert_eq!(general.next().await, Some((Some("0-1".to_owned()), String::new())));
}
