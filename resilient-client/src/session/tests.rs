use std::sync::Mutex;

use serde_json::Value;
use tokio::sync::Notify;

use super::*;
use crate::call::CallSettings;
use crate::link::any::Target;
use crate::link::fake::Fake;
use crate::supervisor::{BoxFuture, Supervisor, SupervisorSettings};

struct Nothing;

impl Events for Nothing {
    fn message(&self, _: Message, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

fn session(name: &str, server: &Arc<Fake>) -> Arc<ClientSession<Nothing>> {
    let target = Target::Fake(Arc::clone(server));
    let supervisor = Supervisor::start(name, target, SupervisorSettings::default(), Nothing);
    Arc::new(ClientSession::new(Arc::new(Caller::new(supervisor, CallSettings::default()))))
}

fn request(id: &str, method: &str) -> Message {
    Message::request(id, method, &json!({ "name": "get" }))
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_ends_with_the_timeout_of_a_call() {
    let session = session("session.silent", &Fake::new(|_, _| {}));
    let begun = tokio::time::Instant::now();
    let response = session.request(request("7", "prompts/list")).await.unwrap();
    assert_eq!((response.id(), begun.elapsed().as_secs()), (Some("7"), 60));
    assert!(response.error().unwrap().contains("no answer within 60 s"), "{}", response.text());
}

#[tokio::test(start_paused = true)]
async fn a_second_request_with_the_same_id_is_refused_until_the_first_has_ended() {
    let session = session("session.twice", &Fake::with_tools("[]", |_, _| {}));
    let first = session.request(request("7", "ping"));
    let refused = session.request(request("7", "ping")).await.unwrap();
    assert!(refused.error().unwrap().contains("-32600"), "{}", refused.text());
    assert_eq!(first.await.unwrap().result(), Some("{}"));
    assert_eq!(session.request(request("7", "ping")).await.unwrap().result(), Some("{}"));
}

#[tokio::test(start_paused = true)]
async fn the_requests_of_a_client_that_is_gone_are_cancelled_at_the_server() {
    let seen = Arc::new((Mutex::new(Vec::new()), Notify::new()));
    let record = Arc::clone(&seen);
    let server = Fake::new(move |message, _| {
        let params: Value = message.read_params().unwrap_or_default();
        let id = message.id().map_or_else(|| params["requestId"].to_string(), ToOwned::to_owned);
        record.0.lock().unwrap().push((message.method().unwrap_or_default().to_owned(), id));
        record.1.notify_one();
    });
    let session = session("session.gone", &server);
    let call = tokio::spawn(session.request(request("1", "tools/call")));
    let task = tokio::spawn(session.request(request("2", "tasks/result")));
    while seen.0.lock().unwrap().len() < 2 {
        seen.1.notified().await;
    }
    session.cancel_all();
    assert_eq!((call.await.unwrap(), task.await.unwrap()), (None, None));
    let mut cancelled: Vec<_> = seen.0.lock().unwrap().split_off(2);
    cancelled.sort();
    let expected = ["1", "2"].map(|id| ("notifications/cancelled".to_owned(), id.to_owned()));
    assert_eq!(cancelled, expected);
}
