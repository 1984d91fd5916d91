//! A receipt is known after a restart and with a new access token of the same user, and to no other user.

use resilient_runtime::deferred::Receipt;
use resilient_tests::child::{PATIENCE, Process};
use resilient_tests::faults::provide_tls;
use resilient_tests::in_process::{Client, request};
use resilient_tests::loopback;
use resilient_tests::records::{Mode, Record, Upstream};
use resilient_tests::wire::{error, text};
use rmcp::ServiceExt as _;
use rmcp::model::CallToolResult;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{SERVER, StoreFile, accept, arguments, assert_written_once, delivered, receipt, record, write};

#[tokio::test]
async fn over_stdio_a_receipt_is_known_after_a_restart() {
    let (store_file, upstream) = (StoreFile::new(), Upstream::start(Mode::Down).await.expect("a port"));
    let server = store_file.serve(&upstream, &[]).await;
    let receipt = accept(&server, &record("a")).await;
    drop(server.hang_up().await.expect("the server ends"));
    let server = store_file.serve(&upstream, &[]).await;
    let asked = json!({ "receipt": receipt.to_string() });
    let status = server.call("deferred_status", asked.clone()).await.expect("an answer");
    assert!(is_live(&status), "{status:?}");
    assert_eq!(accept(&server, &record("a")).await, receipt, "a second call has the same receipt");
    let other = Record { text: "another text".into(), ..record("a") };
    let conflict = write(&server, &other).await;
    assert_eq!(conflict.is_error, Some(true), "{conflict:?}");
    assert!(text(&conflict).contains(&receipt.to_string()), "{conflict:?}");
    upstream.set(Mode::Up);
    delivered(&store_file.open(), receipt).await;
    assert_written_once(&upstream, &record("a"));
    let status = server.call("deferred_status", asked).await.expect("an answer");
    assert_eq!(shown(&status), (Some("done"), Some(true)), "{status:?}");
}

/// The state that a status shows, and whether the write is done.
fn shown(status: &CallToolResult) -> (Option<&str>, Option<bool>) {
    let content = status.structured_content.as_ref();
    let member = |name: &str| content.and_then(|content| content.get(name));
    (member("state").and_then(Value::as_str), member("done").and_then(Value::as_bool))
}

/// Whether a status shows a write that is still to be done.
fn is_live(status: &CallToolResult) -> bool {
    matches!(shown(status), (Some("waiting" | "running"), Some(false)))
}

/// A server over HTTP.
pub(crate) struct OverHttp {
    process: Process,
    origin: String,
}

impl OverHttp {
    pub(crate) async fn start(store_file: &StoreFile, upstream: &Upstream) -> Self {
        let url = upstream.url();
        let arguments = ["records", store_file.path(), url.as_str(), "http"];
        let (process, _, _) = Process::start(SERVER, &arguments).expect("the server starts");
        let line = process.wait_for_log(|line| line.starts_with("address: ")).await.expect("an address");
        Self { process, origin: line.trim_start_matches("address: ").to_owned() }
    }

    /// Connects a client with an access token.
    pub(crate) async fn connect(&self, token: &str) -> Client {
        provide_tls();
        let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", self.origin)).auth_header(token);
        let http = loopback::client().build().expect("a client");
        let transport = StreamableHttpClientTransport::with_client(http, config);
        timeout(PATIENCE, ().serve(transport)).await.expect("in time").expect("a session")
    }

    /// Requests a route for orchestrators, and returns the status and the body.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let http = loopback::client().timeout(PATIENCE).build().expect("a client");
        let response = http.get(format!("{}{path}", self.origin)).send().await.expect("a response");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }
}

pub(crate) async fn call(client: &Client, tool: &'static str, arguments: &Value) -> CallToolResult {
    timeout(PATIENCE, client.call_tool(request(tool, arguments))).await.expect("in time").expect("an answer")
}

async fn status(client: &Client, receipt: Receipt) -> CallToolResult {
    call(client, "deferred_status", &json!({ "receipt": receipt.to_string() })).await
}

#[tokio::test]
async fn over_http_a_receipt_belongs_to_the_user_and_not_to_the_token_or_the_process() {
    let (store_file, upstream) = (StoreFile::new(), Upstream::start(Mode::Down).await.expect("a port"));
    let mut first = OverHttp::start(&store_file, &upstream).await;
    let record = record("a");
    let answer = call(&first.connect("ann.first-token").await, "write", &arguments(&record)).await;
    let of_ann = receipt(&answer).unwrap_or_else(|| panic!("not accepted: {answer:?}"));
    first.process.kill().expect("a running process");
    first.process.ended().await.expect("its end");

    let second = OverHttp::start(&store_file, &upstream).await;
    let (ann, ben) = (second.connect("ann.second-token").await, second.connect("ben.first-token").await);
    let of_own = status(&ann, of_ann).await;
    assert!(is_live(&of_own), "{of_own:?}");
    assert_eq!(receipt(&call(&ann, "write", &arguments(&record)).await), Some(of_ann), "the same user and key");

    // Another user's receipt is not different from one that does not exist.
    let of_other = status(&ben, of_ann).await;
    assert_eq!(of_other.is_error, Some(true), "{of_other:?}");
    let unknown = Receipt::random().expect("random bits");
    let of_none = status(&ben, unknown).await;
    let masked = |answer: &CallToolResult, receipt: Receipt| {
        let text = text(answer).replace(&receipt.to_string(), "RECEIPT");
        text.split(" (correlation id").next().map(str::to_owned)
    };
    assert_eq!((masked(&of_other, of_ann), error(&of_other)), (masked(&of_none, unknown), error(&of_none)));
    let cancelled = call(&ben, "deferred_cancel", &json!({ "receipt": of_ann.to_string() })).await;
    assert_eq!(cancelled.is_error, Some(true), "{cancelled:?}");

    // The same key of another user is another write.
    let own = Record { text: "of ben".into(), ..record.clone() };
    let of_ben = receipt(&call(&ben, "write", &arguments(&own)).await).expect("it is accepted");
    assert_ne!(of_ben, of_ann);
    assert_eq!(status(&ann, of_ben).await.is_error, Some(true));
    let cancelled = call(&ben, "deferred_cancel", &json!({ "receipt": of_ben.to_string() })).await;
    assert_ne!(cancelled.is_error, Some(true), "{cancelled:?}");

    upstream.set(Mode::Up);
    delivered(&store_file.open(), of_ann).await;
    assert_written_once(&upstream, &record);
    let of_own = status(&ann, of_ann).await;
    assert_eq!(shown(&of_own), (Some("done"), Some(true)), "{of_own:?}");
}
