//! Events that scenarios report to `POST /webhooks/make`, and the statuses that say whether to send them again.

use std::time::Duration;

use make_server::upstream::{DEMO_TOKEN, PRIVATE_TEXT, phase::Phase};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::server::{PATIENCE, Server};

const SECRET: &str = "only-scenarios-know-it";

const BUSY: &str = r#"resilient_in_flight{tool="fn make_webhook"}"#;

async fn server(environment: &[(&str, &str)]) -> Server {
    let environment = [&[("MAKE_WEBHOOK_SECRET", SECRET)], environment].concat();
    Server::start_with(&[], &environment).await
}

fn event(id: &str) -> Value {
    json!({ "id": id, "scenario_id": 101, "status": "error", "of no interest": true })
}

/// A response to an event: its status, its `Retry-After` and its body.
struct Answer {
    status: u16,
    retry_after: Option<u64>,
    body: Value,
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        Self { status: response.status().as_u16(), retry_after, body: response.json().await.unwrap() }
    }

    /// The status and the code of a refused event.
    fn refused(&self) -> (u16, &str) {
        assert_eq!(self.body["taken"], false, "{}", self.body);
        assert!(!self.body.to_string().contains(PRIVATE_TEXT), "{}", self.body);
        (self.status, self.body["code"].as_str().unwrap())
    }
}

fn post(server: &Server, event: &Value) -> reqwest::RequestBuilder {
    server.http.post(format!("{}/webhooks/make", server.origin)).bearer_auth(SECRET).json(event)
}

async fn send(server: &Server, event: &Value) -> Answer {
    Answer::of(post(server, event)).await
}

#[tokio::test]
async fn an_event_is_taken_once_although_it_is_sent_twice() {
    let server = server(&[]).await;
    for is_repeated in [false, true, true] {
        let answer = send(&server, &event("e-1")).await;
        assert_eq!((answer.status, answer.body), (200, json!({ "taken": true, "repeated": is_repeated })));
    }
    assert_eq!(send(&server, &event("e-2")).await.body["repeated"], false);
    let counted = r#"resilient_calls_total{tool="fn make_webhook",outcome="ok"}"#;
    assert_eq!(server.metric(counted).await, 2);
    let taken = server.logged("scenario").await;
    assert_eq!(
        (&taken["event"], &taken["scenario"], &taken["ended"]),
        (&json!("webhook.taken"), &json!(101), &json!("Error"))
    );
}

#[tokio::test]
async fn only_senders_with_the_secret_are_heard_and_their_events_have_to_be_right() {
    let server = server(&[]).await;
    let url = format!("{}/webhooks/make", server.origin);
    for sent in [None, Some("Bearer "), Some("Bearer only-scenarios-know-i"), Some("Basic only-scenarios-know-it")] {
        let mut request = server.http.post(&url).json(&event("e-1"));
        if let Some(sent) = sent {
            request = request.header("authorization", sent);
        }
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers().contains_key("www-authenticate")), (401, true));
    }
    for (wrong, expected) in [
        (json!([]), 400),
        (json!({ "scenario_id": 1, "status": "error" }), 400),
        (json!({ "id": "with space", "scenario_id": 1, "status": "error" }), 400),
        (json!({ "id": "e-1", "scenario_id": -1, "status": "error" }), 400),
        (json!({ "id": "e-1", "scenario_id": 1, "status": "other" }), 400),
        (json!({ "id": "e-1", "scenario_id": 101, "status": "error", "filler": "x".repeat(17_000) }), 413),
    ] {
        let answer = send(&server, &wrong).await;
        assert_eq!((answer.refused(), answer.retry_after), ((expected, "WEBHOOK_REFUSED"), None), "{wrong}");
    }
    for (kind, expected) in [("text/plain", 415), ("application/json; charset=utf-8", 400)] {
        let cut_off = server.http.post(&url).bearer_auth(SECRET).header("content-type", kind).body("{");
        assert_eq!(Answer::of(cut_off).await.status, expected, "{kind}");
    }
    let unknown = send(&server, &json!({ "id": "e-1", "scenario_id": 999, "status": "error" })).await;
    assert_eq!((unknown.refused(), unknown.retry_after), ((422, "MAKE_NO_SUCH_SCENARIO"), None));
    assert_eq!(server.http.get(&url).send().await.unwrap().status().as_u16(), 405);

    assert_eq!(send(&server, &event("e-1")).await.body["repeated"], false, "nothing of it was taken");
    server.signal("TERM");
    let (_, log, _) = server.ended().await;
    let log = log.join("\n");
    assert!(log.contains("webhook.refused") && !log.contains("only-scenarios"), "{log}");
}

#[tokio::test]
async fn an_event_that_may_be_taken_later_is_refused_with_429_or_503_and_with_a_delay() {
    let server = server(&[("RESILIENT__BREAKER__MAKE__OPEN", "3s")]).await;
    // Six requests in ten are rejected.
    server.enter(Phase::RateLimited).await;
    let limited = async {
        loop {
            let answer = send(&server, &event(&new_id())).await;
            if answer.status != 200 {
                return answer;
            }
        }
    };
    let limited = timeout(PATIENCE, limited).await.unwrap();
    assert_eq!((limited.refused(), limited.retry_after), ((429, "MAKE_RATE_LIMITED"), Some(1)));

    server.enter(Phase::Hanging).await;
    let timed_out = send(&server, &event("e-1")).await;
    assert_eq!((timed_out.refused(), timed_out.retry_after), ((503, "TIMEOUT"), Some(10)));

    server.enter(Phase::Dropped).await;
    let open = async {
        loop {
            let answer = send(&server, &event("e-1")).await;
            let (status, code) = answer.refused();
            if code == "CIRCUIT_OPEN" {
                return (status, answer.retry_after.unwrap());
            }
            assert_eq!((status, code), (503, "MAKE_HTTP"));
        }
    };
    let (status, retry_after) = timeout(PATIENCE, open).await.unwrap();
    assert!(status == 503 && (1..=3).contains(&retry_after), "{retry_after}");

    // The same event, sent again after the delay.
    server.enter(Phase::Healthy).await;
    let taken = async {
        loop {
            let answer = send(&server, &event("e-1")).await;
            if answer.status == 200 {
                return answer.body;
            }
            tokio::time::sleep(Duration::from_secs(answer.retry_after.unwrap())).await;
        }
    };
    assert_eq!(timeout(PATIENCE, taken).await.unwrap(), json!({ "taken": true, "repeated": false }));
}

/// A new id.
fn new_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("id-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[tokio::test]
async fn a_sender_that_is_too_fast_is_slowed_down() {
    let settings = [("RESILIENT__DEFAULT__RATE_LIMIT__RATE", "1/10s"), ("RESILIENT__DEFAULT__RATE_LIMIT__BURST", "1")];
    let server = server(&settings).await;
    assert_eq!(send(&server, &event("e-1")).await.status, 200);
    let answer = send(&server, &event("e-2")).await;
    assert_eq!(answer.refused(), (429, "OVERLOADED"));
    assert!((1..=10).contains(&answer.retry_after.unwrap()), "{:?}", answer.retry_after);
    assert_eq!(send(&server, &event("e-1")).await.status, 200, "what was taken needs no permit");
}

#[tokio::test]
async fn an_event_that_is_being_taken_is_not_taken_by_a_second_request_and_given_up_with_the_first() {
    let server = server(&[]).await;
    server.enter(Phase::Hanging).await;
    let first = tokio::spawn(post(&server, &event("e-1")).send());
    server.until(BUSY, 1).await;
    let second = send(&server, &event("e-1")).await;
    assert_eq!((second.refused(), second.retry_after), ((503, "WEBHOOK_BEING_TAKEN"), Some(1)));
    first.abort();
    server.until(BUSY, 0).await;
    server.enter(Phase::Healthy).await;
    assert_eq!(send(&server, &event("e-1")).await.body["repeated"], false);
}

#[tokio::test]
async fn a_server_that_stops_takes_no_events_and_the_one_that_runs_is_taken() {
    let server = server(&[]).await;
    server.enter(Phase::Slow).await;
    let running = tokio::spawn(post(&server, &event("e-1")).send());
    server.until(BUSY, 1).await;
    server.signal("TERM");
    server.logged("patience_ms").await;
    let refused = post(&server, &event("e-2")).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 503);
    assert_eq!(running.await.unwrap().unwrap().status().as_u16(), 200);
    assert_eq!(server.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn an_event_that_never_arrives_whole_is_given_up() {
    let server = server(&[]).await;
    let address = server.origin.trim_start_matches("http://");
    let mut endless = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /webhooks/make HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {SECRET}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    endless.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    timeout(PATIENCE, endless.read_exact(&mut status)).await.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 408");
}

#[tokio::test]
async fn without_a_secret_there_is_no_route_and_a_weak_one_is_refused() {
    let server = Server::start(&[]).await;
    assert_eq!(post(&server, &event("e-1")).send().await.unwrap().status().as_u16(), 404);
    let start = |name: &str, value: &str| {
        let mut command = crate::common::command("http-server");
        let output = command.args(["--demo", "--bind", "127.0.0.1:0"]).env(name, value).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = start("MAKE_WEBHOOK_SECRET", "short-secret");
    assert!(code == Some(2) && text.contains("at least 16") && !text.contains("short-secret"), "{text}");
    let (code, text) = start("MAKE_WEBHOOK_SECRET_FILE", "/nowhere/secret");
    assert!(code == Some(2) && text.contains("/nowhere/secret"), "{text}");
}

#[tokio::test]
async fn secrets_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (webhook, admin) = (file("webhook", &format!("{SECRET}\n")), file("admin", "only-operators-know-it\n"));
    let environment = [("MAKE_WEBHOOK_SECRET_FILE", &*webhook), ("RESILIENT_ADMIN_TOKEN_FILE", &*admin)];
    let server = Server::start_with(&["--admin", "127.0.0.1:0"], &environment).await;
    assert_eq!(send(&server, &event("e-1")).await.status, 200);
    let breakers = format!("{}/breakers", server.admin.as_deref().unwrap());
    assert_eq!(server.http.get(&breakers).send().await.unwrap().status().as_u16(), 401);
    let asked = server.http.get(&breakers).bearer_auth("only-operators-know-it");
    assert_eq!(asked.send().await.unwrap().status().as_u16(), 200);
    server.signal("TERM");
    let (_, log, _) = server.ended().await;
    let log = log.join("\n");
    assert!(!log.contains(SECRET) && !log.contains(DEMO_TOKEN) && !log.contains("RESILIENT_ADMIN_TOKEN_FILE"), "{log}");
}
