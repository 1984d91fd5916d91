//! The end of the front.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{PATIENCE, Server, request};

#[tokio::test]
async fn streams_of_get_end_at_once_and_requests_in_flight_are_answered() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut general = server.listen(&session).await;
    let slow = tokio::spawn(server.post_in(&session, &request(1, "slow", &json!({}))).send());
    server.service.until("slow", 1).await;
    server.stop.cancel();
    assert!(general.next().await.is_none());
    assert_eq!(server.service.count("closed"), 0);
    server.service.release.add_permits(1);
    let response: Value = slow.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(response["result"], json!({ "slow": true }));
    timeout(PATIENCE, server.task).await.unwrap().unwrap();
    assert_eq!((server.service.count("closed"), server.service.count("cancelled")), (1, 0));
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn requests_in_flight_are_cancelled_after_5_seconds() {
    let server = Server::start().await;
    let session = server.session().await;
    // This client never gets a stream, so it is clear what it gets.
    let post = server.http.post(&server.url).header("accept", "application/json").header("mcp-session-id", session);
    let slow = tokio::spawn(post.json(&request(1, "slow", &json!({}))).send());
    server.service.until("slow", 1).await;
    // Only now: a paused clock runs on whenever nothing but a socket is waited for.
    tokio::time::pause();
    let begin = Instant::now();
    server.stop.cancel();
    assert_eq!(slow.await.unwrap().unwrap().status(), 503);
    assert!(begin.elapsed() >= Duration::from_secs(5), "{:?}", begin.elapsed());
    server.task.await.unwrap();
    assert_eq!((server.service.count("closed"), server.service.count("cancelled")), (1, 1));
}

#[tokio::test]
async fn a_front_without_clients_ends_at_once() {
    let server = Server::start().await;
    server.session().await;
    server.stop.cancel();
    timeout(Duration::from_secs(2), server.task).await.unwrap().unwrap();
    assert_eq!(server.service.count("closed"), 1);
}
