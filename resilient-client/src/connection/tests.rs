use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use resilient_runtime::ErrorKind;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientRequest, ElicitRequestParams, ElicitResult, ElicitationAction, Request,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestContext, ServiceError};
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::json;
use tokio::sync::Notify;

use super::*;
use crate::link::fake::{Client, Fake, INITIALIZED};
use crate::message::Message;

const TOOLS: &str = r#"[{"name":"get","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},
    {"name":"put","inputSchema":{"type":"object"}}]"#;

fn connection(name: &str, server: &Arc<Fake>) -> Connection {
    Connection::to(Target::Fake(Arc::clone(server)), name.into()).trust_annotations(true)
}

fn call(tool: &'static str) -> CallToolRequestParams {
    CallToolRequestParams::new(tool)
}

fn text(result: &CallToolResult) -> String {
    let result = serde_json::to_value(result).unwrap();
    result["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

fn answered(message: &Message, client: &Client, text: &str) {
    let result = json!({ "content": [{ "type": "text", "text": text }] });
    client.answer(message, &result.to_string());
}

#[tokio::test(start_paused = true)]
async fn the_peer_stays_usable_when_the_server_is_killed_in_a_call() {
    let server = Fake::with_tools(TOOLS, |message, client| {
        if message.method() == Some("tools/call") {
            if client.connection == 1 { client.exit() } else { answered(message, client, "seven") }
        }
    });
    let client = connection("kept", &server).serve(()).await.unwrap();
    assert_eq!(client.list_all_tools().await.unwrap().len(), 2);
    let lost = client.call_tool(call("put")).await.unwrap();
    assert_eq!(lost.is_error, Some(true));
    assert!(text(&lost).contains("may have taken effect"), "{}", text(&lost));
    let second = client.call_tool(call("put")).await.unwrap();
    assert_eq!((second.is_error, text(&second).as_str(), server.connections()), (None, "seven", 2));
    client.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_read_is_repeated_on_the_next_connection() {
    let server = Fake::with_tools(TOOLS, |message, client| {
        if message.method() == Some("tools/call") {
            if client.connection == 1 { client.exit() } else { answered(message, client, "seven") }
        }
    });
    let client = connection("repeated", &server).serve(()).await.unwrap();
    client.list_all_tools().await.unwrap();
    assert_eq!(text(&client.call_tool(call("get")).await.unwrap()), "seven");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_start_is_an_error_that_says_why() {
    let server = Fake::with_tools("[]", |_, _| {});
    server.starts.store(false, Ordering::SeqCst);
    let Err(failure) = connection("absent", &server).serve(()).await else { panic!("it has started") };
    assert_eq!(failure.kind, ErrorKind::Unavailable);
    assert!(failure.message.contains("does not exist"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_cancelled_at_the_server_with_the_id_that_it_has_there() {
    let (called, cancelled) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (on_call, on_cancel) = (Arc::clone(&called), Arc::clone(&cancelled));
    let id = Arc::new(std::sync::Mutex::new(String::new()));
    let server = Fake::with_tools(TOOLS, move |message, _| match message.method() {
        Some("tools/call") => {
            *id.lock().unwrap() = message.id().unwrap().to_owned();
            on_call.notify_one();
        }
        Some("notifications/cancelled") => {
            let params: serde_json::Value = message.read_params().unwrap();
            assert_eq!(params["requestId"].to_string(), *id.lock().unwrap());
            on_cancel.notify_one();
        }
        _ => {}
    });
    let client = connection("cancelled", &server).serve(()).await.unwrap();
    let request = ClientRequest::CallToolRequest(Request::new(call("put")));
    let handle = client.send_cancellable_request(request, PeerRequestOptions::default()).await.unwrap();
    called.notified().await;
    handle.cancel(Some("changed my mind".into())).await.unwrap();
    cancelled.notified().await;
}

/// Counts the changes of the list of tools.
#[derive(Clone, Default)]
struct Listening(Arc<(AtomicU64, Notify)>);

impl ClientHandler for Listening {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.notify_one();
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_with_other_tools_has_changed_its_list() {
    let is_new = Arc::new(AtomicBool::new(false));
    let renewed = Arc::clone(&is_new);
    let server = Fake::new(move |message, client| match message.method() {
        Some("initialize") => client.answer(message, INITIALIZED),
        Some("tools/list") if renewed.load(Ordering::SeqCst) => client.answer(message, r#"{"tools":[]}"#),
        Some("tools/list") => client.answer(message, &format!(r#"{{"tools":{TOOLS}}}"#)),
        Some("tools/call") => client.exit(),
        _ => {}
    });
    let handler = Listening::default();
    let client = connection("renewed", &server).serve(handler.clone()).await.unwrap();
    client.list_all_tools().await.unwrap();
    client.call_tool(call("put")).await.unwrap();
    // The same tools: the second loss finds the client without a change.
    while server.connections() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(handler.0.0.load(Ordering::SeqCst), 0);
    is_new.store(true, Ordering::SeqCst);
    client.call_tool(call("put")).await.unwrap();
    handler.0.1.notified().await;
    assert_eq!(handler.0.0.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_rmcp_cannot_read_ends_its_request_with_an_error() {
    let server = Fake::with_tools(TOOLS, |message, client| {
        if message.method() == Some("prompts/list") {
            let id = message.id().unwrap();
            client.send(Message::parse(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":"x"}}}}"#)).unwrap());
        }
    });
    let client = connection("odd", &server).serve(()).await.unwrap();
    let error = client.list_prompts(None).await.unwrap_err();
    assert!(matches!(error, ServiceError::McpError(_)), "{error:?}");
}

/// Accepts the first dialog, but only when the second one has come, which it declines.
#[derive(Clone, Default)]
struct Asked(Arc<(AtomicU64, Notify)>);

impl ClientHandler for Asked {
    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        if self.0.0.fetch_add(1, Ordering::SeqCst) == 0 {
            self.0.1.notified().await;
            return Ok(ElicitResult::new(ElicitationAction::Accept));
        }
        self.0.1.notify_one();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        Ok(ElicitResult::new(ElicitationAction::Decline))
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_request_of_a_lost_server_does_not_answer_a_request_of_the_next_one() {
    let answers = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, answered_once) = (Arc::clone(&answers), Arc::new(Notify::new()));
    let on_answer = Arc::clone(&answered_once);
    let server = Fake::with_tools(TOOLS, move |message, client| match message.method() {
        Some("tools/call") => {
            let schema = json!({ "type": "object", "properties": {} });
            let params = json!({ "mode": "form", "message": "Delete?", "requestedSchema": schema });
            client.send(Message::request("0", "elicitation/create", &params));
            if client.connection == 1 {
                client.exit();
            } else {
                answered(message, client, "done");
            }
        }
        None => {
            seen.lock().unwrap().push((client.connection, message.text().to_owned()));
            on_answer.notify_one();
        }
        _ => {}
    });
    let client = connection("asked", &server).serve(Asked::default()).await.unwrap();
    client.list_all_tools().await.unwrap();
    client.call_tool(call("put")).await.unwrap();
    client.call_tool(call("put")).await.unwrap();
    answered_once.notified().await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let answers = answers.lock().unwrap();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let (connection, text) = &answers[0];
    assert!(*connection == 2 && text.contains(r#""id":0"#) && text.contains("decline"), "{text}");
}
