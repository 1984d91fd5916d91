//! Which stream carries a message.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{BOTH, Events, PATIENCE, Server, content_type, notification, request};

fn changed(number: usize) -> Value {
    notification("notifications/tools/list_changed", &json!({ "number": number }))
}

fn with_progress(id: u64, token: &Value) -> Value {
    request(id, "progress", &json!({ "_meta": { "progressToken": token } }))
}

#[tokio::test]
async fn progress_and_then_the_response_are_on_the_stream_of_the_request() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut general = server.listen(&session).await;
    for (id, token) in [(1, json!("token")), (2, json!(7))] {
        let mut events = Events::of(server.post_in(&session, &with_progress(id, &token)).send().await.unwrap());
        for progress in [1, 2] {
            let message = events.message().await;
            assert_eq!(message["params"], json!({ "progressToken": token, "progress": progress }));
        }
        assert_eq!(events.message().await["id"], id);
        assert!(events.next().await.is_none());
    }
    server.service.push(&changed(0)).await;
    assert_eq!(general.message().await, changed(0));
}

#[tokio::test]
async fn progress_goes_to_its_request_among_several() {
    let server = Server::start().await;
    let session = server.session().await;
    let slow = request(1, "slow", &json!({ "_meta": { "progressToken": "mine" } }));
    let slow = tokio::spawn(server.post_in(&session, &slow).send());
    server.service.until("slow", 1).await;
    let other = tokio::spawn(server.post_in(&session, &request(2, "slow", &json!({}))).send());
    server.service.until("slow", 2).await;
    let progress = notification("notifications/progress", &json!({ "progressToken": "mine", "progress": 1 }));
    server.service.push(&progress).await;
    server.service.release.add_permits(2);
    let mut events = Events::of(slow.await.unwrap().unwrap());
    assert_eq!(events.message().await, progress);
    assert_eq!(events.message().await["id"], 1);
    assert_eq!(content_type(other.await.unwrap().unwrap().headers()), "application/json");
}

#[tokio::test]
async fn the_stream_has_the_form_of_server_sent_events() {
    let server = Server::start().await;
    let session = server.session().await;
    let body = with_progress(1, &json!("t")).to_string();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAccept: {BOTH}\r\nContent-Type: application/json\r\n\
         Mcp-Session-Id: {session}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut read = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut read)).await.unwrap().unwrap();
    let (head, body) = read.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    for header in
        ["http/1.1 200 ok", "content-type: text/event-stream", "cache-control: no-cache", "x-accel-buffering: no"]
    {
        assert!(head.contains(header), "{head}");
    }
    // Chunks without their lengths: a line with data is longer than any length.
    let lines: Vec<_> = body.lines().filter(|line| line.contains(':')).collect();
    assert_eq!(lines.len(), 6, "{body}");
    for (number, lines) in (1..).zip(lines.chunks(2)) {
        // The initialize request had the first stream.
        assert_eq!(lines[0], format!("id: 2-{number}"));
        assert!(lines[1].starts_with("data: {\"jsonrpc\":\"2.0\""), "{}", lines[1]);
    }
    assert!(lines[5].contains("\"result\":{\"done\":true}"), "{}", lines[5]);
}

#[tokio::test]
async fn line_breaks_in_a_message_do_not_break_the_event() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut events = Events::of(server.post_in(&session, &request(5, "lines", &json!({}))).send().await.unwrap());
    events.message().await;
    assert_eq!(events.message().await, json!({ "jsonrpc": "2.0", "id": 5, "result": {} }));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_accepts_only_json_gets_only_responses() {
    let server = Server::start().await;
    let session = server.session().await;
    let post = |body: &Value| {
        let post = server.http.post(&server.url).header("accept", "application/json");
        post.header("mcp-session-id", &session).json(body).send()
    };
    let response: Value = post(&with_progress(1, &json!("t"))).await.unwrap().json().await.unwrap();
    assert_eq!(response["result"], json!({ "done": true }));
    let batch = json!([request(1, "any", &json!({})), with_progress(2, &json!("u"))]);
    let responses: Value = post(&batch).await.unwrap().json().await.unwrap();
    assert_eq!(
        (&responses[0]["id"], &responses[1]["id"], responses.as_array().unwrap().len()),
        (&json!(1), &json!(2), 2)
    );
    assert_eq!(post(&request(3, "nothing", &json!({}))).await.unwrap().status(), 204);
    // What was not for this client waits for its stream.
    let mut general = server.listen(&session).await;
    assert_eq!(general.message().await["params"]["progressToken"], "t");
}

#[tokio::test]
async fn what_belongs_to_no_request_is_on_the_stream_of_get() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut general = server.listen(&session).await;
    server.service.push(&changed(1)).await;
    assert_eq!(general.message().await, changed(1));
    // Two requests in flight: it is not clear to which of them it belongs.
    let slow = [1, 2].map(|id| tokio::spawn(server.post_in(&session, &request(id, "slow", &json!({}))).send()));
    server.service.until("slow", 2).await;
    let sampling = request("s1", "sampling/createMessage", &json!({}));
    server.service.push(&sampling).await;
    assert_eq!(general.message().await, sampling);
    server.service.release.add_permits(2);
    for slow in slow {
        assert_eq!(content_type(slow.await.unwrap().unwrap().headers()), "application/json");
    }
}

#[tokio::test]
async fn what_most_likely_results_from_the_only_request_is_on_its_stream() {
    let server = Server::start().await;
    let session = server.session().await;
    let _general = server.listen(&session).await;
    let mut events = Events::of(server.post_in(&session, &request(1, "announce", &json!({}))).send().await.unwrap());
    assert_eq!(events.message().await["method"], "notifications/message");
    server.service.release.add_permits(1);
    assert_eq!(events.message().await["id"], 1);
}

#[tokio::test]
async fn without_a_stream_of_get_the_latest_request_carries_requests_of_the_server() {
    let server = Server::start().await;
    let session = server.session().await;
    let first = tokio::spawn(server.post_in(&session, &request(1, "slow", &json!({}))).send());
    server.service.until("slow", 1).await;
    let second = tokio::spawn(server.post_in(&session, &request(2, "slow", &json!({}))).send());
    server.service.until("slow", 2).await;
    let sampling = request("s1", "sampling/createMessage", &json!({}));
    server.service.push(&sampling).await;
    let mut events = Events::of(second.await.unwrap().unwrap());
    assert_eq!(events.message().await, sampling);
    server.service.release.add_permits(2);
    assert_eq!(events.message().await["id"], 2);
    assert_eq!(content_type(first.await.unwrap().unwrap().headers()), "application/json");
}

#[tokio::test]
async fn without_any_stream_the_last_64_messages_wait_for_get() {
    let server = Server::start().await;
    let session = server.session().await;
    for number in 0..70 {
        server.service.push(&changed(number)).await;
    }
    let mut general = server.listen(&session).await;
    for number in 6..70 {
        assert_eq!(general.message().await, changed(number));
    }
    server.service.push(&changed(70)).await;
    assert_eq!(general.message().await, changed(70));
}

#[tokio::test]
async fn without_any_stream_at_most_1_mib_waits_for_get() {
    let server = Server::start().await;
    let session = server.session().await;
    let large = |number: usize| notification("large", &json!({ "number": number, "text": "x".repeat(400_000) }));
    for number in 0..4 {
        server.service.push(&large(number)).await;
    }
    let mut general = server.listen(&session).await;
    for number in 2..4 {
        assert_eq!(general.message().await, large(number));
    }
}

#[tokio::test]
async fn a_session_has_one_stream_of_get_at_a_time() {
    let server = Server::start().await;
    let session = server.session().await;
    let general = server.listen(&session).await;
    assert_eq!(server.get(&session).send().await.unwrap().status(), 409);
    drop(general);
    while server.get(&session).send().await.unwrap().status() == 409 {}
}

#[tokio::test]
async fn each_message_of_a_batch_is_handled() {
    let server = Server::start().await;
    let session = server.session().await;
    let batch = json!([
        notification("notifications/initialized", &json!({})),
        request(1, "any", &json!({})),
        request("b", "other", &json!({})),
    ]);
    let mut events = Events::of(server.post_in(&session, &batch).send().await.unwrap());
    assert_eq!(events.message().await["result"], json!({ "method": "any" }));
    assert_eq!(events.message().await["result"], json!({ "method": "other" }));
    assert!(events.next().await.is_none());
    assert_eq!(server.service.count("notifications/initialized"), 1);
}

#[tokio::test]
async fn a_cancelled_request_gets_a_stream_without_a_response() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut events = Events::of(server.post_in(&session, &request(1, "nothing", &json!({}))).send().await.unwrap());
    assert!(events.next().await.is_none());
    // Its id can be used again.
    assert_eq!(server.post_in(&session, &request(1, "any", &json!({}))).send().await.unwrap().status(), 200);
}
