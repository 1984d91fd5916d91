use super::*;
use crate::service::Boxed;
use serde_json::json;

/// A client that keeps what it gets.
#[derive(Default)]
struct Client(Mutex<Vec<Message>>);

impl Output for Client {
    fn send(&self, message: Message) -> Boxed<'_, ()> {
        self.0.lock().unwrap().push(message);
        Box::pin(async {})
    }
}

fn client(sessions: &Sessions) -> SessionNumber {
    sessions.add(Arc::<Client>::default())
}

fn request(id: &str) -> Message {
    Message::request(id, "elicitation/create", &json!({}))
}

fn passed(routed: Routed) -> Message {
    match routed {
        Routed::To(outputs, message) if outputs.len() == 1 => message,
        _ => panic!("one client gets it"),
    }
}

/// Returns the response of a client to a request that it got.
fn response(request: &Message) -> Message {
    Message::result_of(request.id().unwrap(), "{}")
}

#[test]
fn the_answer_to_a_request_of_a_lost_server_answers_no_request_of_the_next_one() {
    let sessions = Sessions::new(false);
    let session = client(&sessions);
    let first = passed(sessions.route(request("0"), 1));
    let cancelled = sessions.lost();
    assert_eq!(cancelled.len(), 1);
    let params: serde_json::Value = cancelled[0].1.read_params().unwrap();
    assert_eq!(params["requestId"].to_string(), first.id().unwrap());
    let second = passed(sessions.route(request("0"), 2));
    assert_eq!(sessions.answered(session, &response(&first)), None);
    let answered = sessions.answered(session, &response(&second));
    assert_eq!(answered, Some((Message::result_of("0", "{}"), 2)));
    assert!(sessions.lost().is_empty(), "an answered request needs no cancellation");
}

#[test]
fn a_server_cancels_its_request_with_the_id_that_the_client_has_for_it() {
    let sessions = Sessions::new(false);
    let session = client(&sessions);
    let asked = passed(sessions.route(request(r#""\u00e9""#), 1));
    let text = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\u00e9"}}"#;
    let cancelled = passed(sessions.route(Message::parse(text).unwrap(), 1));
    let params: serde_json::Value = cancelled.read_params().unwrap();
    assert_eq!(params["requestId"], serde_json::from_str::<serde_json::Value>(asked.id().unwrap()).unwrap());
    assert_eq!(sessions.answered(session, &response(&asked)), None);
}

#[test]
fn progress_tokens_are_converted_only_where_sessions_share_the_server() {
    let progress = Message::notification("notifications/progress", &json!({ "progressToken": "session-1:7" }));
    for (is_shared, expected) in [(false, json!("session-1:7")), (true, json!(7))] {
        let sessions = Sessions::new(is_shared);
        client(&sessions);
        let params: serde_json::Value = passed(sessions.route(progress.clone(), 1)).read_params().unwrap();
        assert_eq!(params["progressToken"], expected);
    }
}

#[test]
fn a_session_that_ends_leaves_the_subscriptions_that_no_other_one_has() {
    let sessions = Sessions::new(true);
    let (first, second) = (client(&sessions), client(&sessions));
    sessions.subscribe(first, "own");
    sessions.subscribe(first, "shared");
    sessions.subscribe(second, "shared");
    assert_eq!(sessions.remove(first).subscriptions, ["own"]);
    assert_eq!(sessions.remove(second).subscriptions, ["shared"]);
    sessions.subscribe(second, "late");
    assert!(sessions.remove(second).subscriptions.is_empty());
}
