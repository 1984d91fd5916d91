//! Bounds, and what happens with time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use tokio::time::{Instant, advance, timeout};

use super::{Local, initialize, notification, request};
use crate::front::http::exchange::LONGEST_SILENCE;
use crate::front::http::outbox::MOST_REQUESTS;
use crate::front::http::sessions::{ClientSession, EVICTABLE_IDLE, LONGEST_IDLE, MOST_SESSIONS, NoSession};

const SECOND: Duration = Duration::from_secs(1);
/// One second less than the time after which a session ends.
const ALMOST: Duration = Duration::from_secs(30 * 60 - 1);

fn open(local: &Local) -> Result<Arc<ClientSession>, NoSession> {
    local.shared.sessions.open(&*local.service)
}

fn is_open(local: &Local, session: &ClientSession) -> bool {
    local.shared.sessions.get(session.id).is_some()
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_30_minutes_after_its_last_request() {
    let local = Local::new();
    let session = open(&local).unwrap();
    advance(LONGEST_IDLE / 2).await;
    session.outbox.touch();
    advance(ALMOST).await;
    local.shared.sessions.end_idle();
    assert!(is_open(&local, &session));
    advance(SECOND).await;
    local.shared.sessions.end_idle();
    assert!(!is_open(&local, &session));
    local.service.until("closed", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_with_a_stream_or_a_request_does_not_end() {
    let local = Local::new();
    let (with_stream, with_request) = (local.session().await, local.session().await);
    let stream = local.get(&with_stream).await;
    let message = request(1, "slow", &json!({}));
    let headers = [("mcp-session-id", &*with_request)];
    let mut post = Box::pin(local.post(&headers, &message));
    assert!(timeout(SECOND, &mut post).await.is_err());
    let is_open = |id: &str| local.shared.sessions.get(id.parse().unwrap()).is_some();
    advance(2 * LONGEST_IDLE).await;
    local.shared.sessions.end_idle();
    assert!(is_open(&with_stream) && is_open(&with_request));
    drop(stream);
    local.service.release.add_permits(1);
    post.await;
    advance(ALMOST).await;
    local.shared.sessions.end_idle();
    assert!(is_open(&with_stream) && is_open(&with_request));
    advance(2 * SECOND).await;
    local.shared.sessions.end_idle();
    assert!(!is_open(&with_stream) && !is_open(&with_request));
}

#[tokio::test(start_paused = true)]
async fn a_new_session_takes_the_place_of_the_one_that_was_idle_longest() {
    let local = Local::new();
    let mut sessions = Vec::new();
    for _ in 0..MOST_SESSIONS {
        sessions.push(open(&local).unwrap());
        advance(Duration::from_millis(1)).await;
    }
    assert_eq!(open(&local).err(), Some(NoSession::Full));
    sessions[0].outbox.touch();
    advance(EVICTABLE_IDLE).await;
    // The second has a stream, so the third goes first.
    let listening = sessions[1].outbox.listen().unwrap();
    advance(EVICTABLE_IDLE).await;
    let new = open(&local).unwrap();
    let ended: Vec<_> = (0..MOST_SESSIONS).filter(|at| !is_open(&local, &sessions[*at])).collect();
    assert_eq!(ended, [2]);
    assert!(is_open(&local, &new));
    drop(listening);
    local.service.until("closed", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_in_use_is_not_ended_for_a_new_one() {
    let local = Local::new();
    let mut requests = Vec::new();
    for _ in 0..MOST_SESSIONS {
        let session = open(&local).unwrap();
        let ids = crate::front::http::outbox::Requests { ids: vec!["1".into()], tokens: Vec::new() };
        requests.push(session.outbox.start(ids, true).ok().unwrap());
    }
    advance(2 * EVICTABLE_IDLE).await;
    let response = local.post(&[], &initialize()).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"60".parse().unwrap()));
    // Its request has just ended.
    requests.pop();
    assert_eq!(open(&local).err(), Some(NoSession::Full));
    advance(EVICTABLE_IDLE).await;
    assert!(open(&local).is_ok());
}

#[tokio::test]
async fn at_most_256_requests_of_a_session_are_in_flight() {
    let local = Local::new();
    let session = local.session().await;
    let headers = [("mcp-session-id", &*session)];
    let batch: Vec<_> = (0..MOST_REQUESTS).map(|id| request(id, "slow", &json!({}))).collect();
    let batch = json!(batch);
    let mut all = Box::pin(local.post(&headers, &batch));
    assert!(timeout(Duration::from_millis(1), &mut all).await.is_err());
    local.service.until("slow", MOST_REQUESTS).await;
    let one_more = request("more", "any", &json!({}));
    assert_eq!(local.post(&headers, &one_more).await.status(), 429);
    local.service.release.add_permits(1);
    assert_eq!(all.await.status(), 200);
    assert_eq!(local.post(&headers, &one_more).await.status(), 200);
}

#[tokio::test]
async fn an_id_is_used_once_at_a_time() {
    let local = Local::new();
    let session = local.session().await;
    let headers = [("mcp-session-id", &*session)];
    let slow = request(1, "slow", &json!({}));
    let mut first = Box::pin(local.post(&headers, &slow));
    assert!(timeout(Duration::from_millis(1), &mut first).await.is_err());
    assert_eq!(local.post(&headers, &request(1, "any", &json!({}))).await.status(), 400);
    // A string is another id than a number.
    assert_eq!(local.post(&headers, &request("1", "any", &json!({}))).await.status(), 200);
    let twice = json!([request(2, "any", &json!({})), request(2, "any", &json!({}))]);
    assert_eq!(local.post(&headers, &twice).await.status(), 400);
    local.service.release.add_permits(1);
    assert_eq!(first.await.status(), 200);
    assert_eq!(local.post(&headers, &request(1, "any", &json!({}))).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_gets_a_stream_after_5_seconds_and_then_comments() {
    let local = Local::new();
    let session = local.session().await;
    let begin = Instant::now();
    let headers = [("mcp-session-id", &*session), ("mcp-protocol-version", "2025-11-25")];
    let response = local.post(&headers, &request(1, "slow", &json!({}))).await;
    assert_eq!(begin.elapsed(), LONGEST_SILENCE);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut frames = response.into_body().into_data_stream();
    assert_eq!(frames.next().await.unwrap().unwrap(), "id: 2-0\ndata:\n\n");
    for seconds in [15, 30] {
        assert_eq!(frames.next().await.unwrap().unwrap(), ":\n\n");
        assert_eq!((begin + LONGEST_SILENCE).elapsed().as_secs(), seconds);
    }
    local.service.release.add_permits(1);
    let last = frames.next().await.unwrap().unwrap();
    assert!(last.starts_with(b"id: 2-1\ndata: {") && last.ends_with(b"\n\n"), "{last:?}");
    assert!(frames.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_of_an_older_version_gets_no_event_without_a_message() {
    let local = Local::new();
    let session = local.session().await;
    let headers = [("mcp-session-id", &*session), ("mcp-protocol-version", "2025-06-18")];
    let response = local.post(&headers, &request(1, "slow", &json!({}))).await;
    let mut frames = response.into_body().into_data_stream();
    assert_eq!(frames.next().await.unwrap().unwrap(), ":\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_notification_is_accepted_after_5_seconds_and_still_passed_on() {
    let local = Local::new();
    let session = local.session().await;
    let begin = Instant::now();
    let response = local.post(&[("mcp-session-id", &session)], &notification("slow", &json!({}))).await;
    assert_eq!((response.status().as_u16(), begin.elapsed()), (202, LONGEST_SILENCE));
    local.service.release.add_permits(1);
    while local.service.release.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(local.service.count("cancelled"), 0);
}

#[tokio::test]
async fn at_most_1000_requests_without_a_session_are_in_flight() {
    let local = Local::new();
    let mut message = request(1, "any", &json!({}));
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "any")];
    let most = u32::try_from(MOST_SESSIONS).unwrap();
    let others = local.shared.modern.clone().try_acquire_many_owned(most).unwrap();
    let response = local.post(&headers, &message).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"60".parse().unwrap()));
    assert_eq!(local.service.count("opened"), 0);
    drop(others);
    for _ in 0..2 {
        assert_eq!(local.post(&headers, &message).await.status(), 200);
        assert_eq!(local.shared.modern.available_permits(), MOST_SESSIONS);
    }
}
