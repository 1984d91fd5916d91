//! Progress notifications of a call over all its attempts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use resilient_runtime::{CallContext, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{request, serve};
use rmcp::model::{ClientRequest, ProgressNotificationParam, Request, ServerResult};
use rmcp::service::{NotificationContext, PeerRequestOptions, RoleClient};
use rmcp::{ClientHandler, ServiceExt, tool, tool_router};
use serde_json::json;
use tokio::time::sleep;

#[derive(Debug, Clone)]
struct Importer;

async fn report(progress: f64) {
    if let Some(call) = CallContext::current() {
        call.progress(progress, Some(6.0), Some("importing")).await;
    }
}

#[resilient(timeout = "30s")]
#[tool_router(server_handler)]
impl Importer {
    /// Fails in its first attempt, at 3 of 6.
    #[resilient(retry(max = 1, base = "1s", jitter = off), idempotent)]
    #[tool]
    async fn progress_import(&self) -> Result<String, Failure> {
        let is_first = CallContext::current().is_some_and(|call| call.attempt() == 1);
        for step in 0..=if is_first { 3 } else { 6 } {
            report(f64::from(step)).await;
            sleep(Duration::from_millis(100)).await;
        }
        if is_first { Err(Failure::Down) } else { Ok("imported".into()) }
    }

    /// Reports what is no progress, and more after its end.
    #[tool]
    async fn progress_odd(&self) -> Result<String, Failure> {
        for progress in [2.0, 2.0, 1.0, f64::NAN, f64::INFINITY, 4.5] {
            report(progress).await;
        }
        if let Some(call) = CallContext::current() {
            tokio::spawn(call.instrument(async {
                sleep(Duration::from_secs(1)).await;
                report(5.0).await;
            }));
        }
        Ok("done".into())
    }
}

/// A client that keeps the notifications it receives.
#[derive(Debug, Clone, Default)]
struct Listener(Arc<Mutex<Vec<ProgressNotificationParam>>>);

impl ClientHandler for Listener {
    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.lock().expect("no panic").push(params);
    }
}

/// Calls the tool, and returns the values of the notifications. Each has the token of the request.
async fn values(tool: &'static str) -> Vec<f64> {
    let listener = Listener::default();
    let client = listener.clone().serve(serve(Importer)).await.expect("a server");
    let call = ClientRequest::CallToolRequest(Request::new(request(tool, &json!({}))));
    let sent = client.send_cancellable_request(call, PeerRequestOptions::no_options()).await.expect("sent");
    let token = sent.progress_token.clone();
    assert!(matches!(sent.await_response().await.expect("an answer"), ServerResult::CallToolResult(_)));
    sleep(Duration::from_secs(5)).await;
    let heard = listener.0.lock().expect("no panic").clone();
    for notification in &heard {
        assert_eq!(notification.progress_token, token);
        assert_eq!((notification.total, notification.message.as_deref()), (Some(6.0), Some("importing")));
    }
    heard.iter().map(|notification| notification.progress).collect()
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_reports_only_what_the_first_has_not_reached() {
    assert_eq!(values("progress_import").await, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[tokio::test(start_paused = true)]
async fn progress_only_increases_and_ends_with_the_call() {
    assert_eq!(values("progress_odd").await, [2.0, 4.5]);
}

#[tokio::test]
async fn without_a_request_nothing_is_sent() {
    report(1.0).await;
}
