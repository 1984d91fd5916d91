//! Sessions: from `initialize` to `DELETE`.

use serde_json::{Value, json};

use super::{Server, content_type, error_of, initialize, notification, request};

#[tokio::test]
async fn initialize_opens_a_session_with_an_id_of_128_bits() {
    let server = Server::start().await;
    let (first, second) = (server.session().await, server.session().await);
    assert_ne!(first, second);
    assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    assert_eq!(server.service.count("opened"), 2);
}

#[tokio::test]
async fn a_request_is_answered_with_json_if_its_response_is_the_first_message() {
    let server = Server::start().await;
    let session = server.session().await;
    let response = server.post_in(&session, &request("a", "any", &json!({}))).send().await.unwrap();
    assert_eq!(content_type(response.headers()), "application/json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body, json!({ "jsonrpc": "2.0", "id": "a", "result": { "method": "any" } }));
}

#[tokio::test]
async fn without_its_id_a_session_cannot_be_used() {
    let server = Server::start().await;
    server.session().await;
    let message = request(3, "any", &json!({}));
    assert_eq!(error_of(server.post(&message).send().await.unwrap()).await, (400, -32_600, json!(3)));
    let get = server.http.get(&server.url).header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(get.status(), 400);
    assert_eq!(server.http.delete(&server.url).send().await.unwrap().status(), 400);
    for unknown in ["0123456789abcdef0123456789abcdef", "x", "+123456789abcdef0123456789abcdef"] {
        assert_eq!(error_of(server.post_in(unknown, &message).send().await.unwrap()).await, (404, -32_000, json!(3)));
        assert_eq!(server.get(unknown).send().await.unwrap().status(), 404);
        assert_eq!(server.delete(unknown).send().await.unwrap().status(), 404);
    }
    assert_eq!(server.service.count("any"), 0);
}

#[tokio::test]
async fn an_initialize_that_fails_leaves_no_session() {
    let server = Server::start().await;
    let response = server.post(&request(0, "initialize", &json!({ "fails": true }))).send().await.unwrap();
    assert!(!response.headers().contains_key("mcp-session-id"));
    assert_eq!(error_of(response).await, (200, -32_603, json!(0)));
    server.service.until("closed", 1).await;
}

#[tokio::test]
async fn an_initialize_in_a_batch_is_refused() {
    let server = Server::start().await;
    let response = server.post(&json!([initialize()])).send().await.unwrap();
    assert_eq!(error_of(response).await, (400, -32_600, json!(0)));
    assert_eq!(server.service.count("opened"), 0);
}

#[tokio::test]
async fn an_initialize_with_a_modern_version_opens_a_session() {
    let server = Server::start().await;
    let post = server.post(&initialize()).header("mcp-protocol-version", "2026-07-28");
    let response = post.header("mcp-method", "initialize").send().await.unwrap();
    assert!(response.headers().contains_key("mcp-session-id"));
    let post = server.post(&initialize()).header("mcp-protocol-version", "2026-07-28");
    let response = post.header("mcp-method", "tools/list").send().await.unwrap();
    assert_eq!(error_of(response).await, (400, -32_020, json!(0)));
}

#[tokio::test]
async fn notifications_and_responses_are_accepted_and_passed_on() {
    let server = Server::start().await;
    let session = server.session().await;
    let initialized = notification("notifications/initialized", &json!({}));
    let response = json!({ "jsonrpc": "2.0", "id": "s1", "result": { "roots": [] } });
    for message in [initialized, response] {
        let accepted = server.post_in(&session, &message).send().await.unwrap();
        assert_eq!((accepted.status().as_u16(), accepted.text().await.unwrap()), (202, String::new()));
        assert_eq!(server.service.count(&message.to_string()), 1);
    }
}

#[tokio::test]
async fn delete_ends_the_session_and_cancels_its_requests() {
    let server = Server::start().await;
    let session = server.session().await;
    let slow = tokio::spawn(server.post_in(&session, &request(1, "slow", &json!({}))).send());
    server.service.until("slow", 1).await;
    let mut stream = server.listen(&session).await;
    assert_eq!(server.delete(&session).send().await.unwrap().status(), 204);
    assert_eq!(server.service.count("closed"), 1);
    assert_eq!(slow.await.unwrap().unwrap().status(), 404);
    server.service.until("cancelled", 1).await;
    assert!(stream.next().await.is_none());
    assert_eq!(server.delete(&session).send().await.unwrap().status(), 404);
    let response = server.post_in(&session, &request(2, "any", &json!({}))).send().await.unwrap();
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn a_client_of_a_session_that_disconnects_does_not_cancel() {
    let server = Server::start().await;
    let session = server.session().await;
    let slow = tokio::spawn(server.post_in(&session, &request(1, "slow", &json!({}))).send());
    server.service.until("slow", 1).await;
    slow.abort();
    // The request is in flight until it is handled.
    let again = request(1, "any", &json!({}));
    let refused = error_of(server.post_in(&session, &again).send().await.unwrap()).await;
    assert_eq!(refused, (400, -32_600, json!(1)));
    server.service.release.add_permits(1);
    while server.post_in(&session, &again).send().await.unwrap().status() != 200 {}
    assert_eq!(server.service.count("cancelled"), 0);
}

#[tokio::test]
async fn a_client_that_leaves_during_initialize_leaves_no_session() {
    let server = Server::start().await;
    let mut message = initialize();
    message["method"] = json!("initialize");
    message["params"]["waits"] = json!(true);
    let waiting = tokio::spawn(server.post(&message).send());
    server.service.until("initialize", 1).await;
    waiting.abort();
    server.service.until("closed", 1).await;
}
