//! A shop whose writes invalidate its reads, and which records when they begin and end.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::{CallContext, Registry, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{Client, request};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ClientRequest, Request};
use rmcp::service::{PeerRequestOptions, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

use super::model::{Facts, Read, Write};

/// The tools that read. The last one is invalidated by no write.
pub(super) const READS: [&str; 4] = ["list", "look_up", "list_often", "other"];
/// The tools that write.
pub(super) const WRITES: [&str; 2] = ["write_both", "write_one"];

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum Ends {
    Well,
    Fails,
    Panics,
    /// With a timeout.
    Hangs,
    /// The client cancels it, after the time that the body takes.
    Cancelled,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Ask {
    key: u32,
    takes: u64,
    ends: Ends,
    /// The position of the call among the calls of its sort.
    #[serde(default)]
    call: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Shop {
    pub(super) facts: Arc<Facts>,
    registry: Arc<Registry>,
}

#[resilient(timeout = "100ms")]
#[tool_router(router = tools)]
impl Shop {
    /// Is kept, also for errors.
    #[resilient(cache(fresh = "1h", key = ask.key), fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn list(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.reads(ask).await
    }

    /// Is kept for longer than it is fresh.
    #[resilient(cache(fresh = "20ms", stale_while_revalidate = "1h", key = ask.key))]
    #[tool(annotations(read_only_hint = true))]
    async fn look_up(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.reads(ask).await
    }

    /// Is fresh for a short time, and kept for errors.
    #[resilient(cache(fresh = "20ms", stale_while_revalidate = "60ms", key = ask.key), fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn list_often(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.reads(ask).await
    }

    /// Is not changed by any write.
    #[resilient(cache(fresh = "1h", key = ask.key))]
    #[tool(annotations(read_only_hint = true))]
    async fn other(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.reads(ask).await
    }

    /// Changes what three tools read.
    #[resilient(invalidates = ["list", "look_up", "list_often"])]
    #[tool(annotations(read_only_hint = false))]
    async fn write_both(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.writes(ask).await
    }

    /// Changes what one tool reads, and is repeated.
    #[resilient(invalidates = "look_up", retry(max = 1, base = "10ms", jitter = off, budget = none), idempotent)]
    #[tool(annotations(read_only_hint = false))]
    async fn write_one(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.writes(ask).await
    }
}

impl Shop {
    /// Returns when the body began.
    async fn reads(&self, ask: Ask) -> Result<String, Failure> {
        let began = self.facts.tick();
        // A refresh has no call.
        if CallContext::current().is_some_and(|call| call.request_id().is_some()) {
            self.facts.calls().reads[ask.call].own_run = Some(began);
        }
        body(&ask).await?;
        Ok(began.to_string())
    }

    async fn writes(&self, ask: Ask) -> Result<String, Failure> {
        let began = self.facts.tick();
        self.facts.calls().writes[ask.call].body_began.get_or_insert(began);
        body(&ask).await?;
        Ok("written".into())
    }
}

async fn body(ask: &Ask) -> Result<(), Failure> {
    if ask.takes > 0 {
        sleep(Duration::from_millis(ask.takes)).await;
    }
    match ask.ends {
        Ends::Well => Ok(()),
        Ends::Fails => Err(Failure::Down),
        Ends::Panics => std::panic::resume_unwind(Box::new("on purpose")),
        Ends::Hangs | Ends::Cancelled => std::future::pending().await,
    }
}

impl ServerHandler for Shop {
    /// Records the begin and the end of the call: nothing else runs between them and what the router does.
    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let find = |names: &[&'static str]| names.iter().copied().find(|name| *name == request.name);
        let (read, write) = (find(&READS), find(&WRITES));
        let call = {
            let began = self.facts.tick();
            let mut calls = self.facts.calls();
            if let Some(tool) = read {
                calls.reads.push(Read { tool, began, served: None, own_run: None });
                calls.reads.len() - 1
            } else {
                calls.writes.push(Write { tool: write.expect("a tool"), body_began: None, ended: None });
                calls.writes.len() - 1
            }
        };
        request.arguments.get_or_insert_default().insert("call".into(), json!(call));
        let scope = self.registry.clone();
        let answered = scope.scope(Self::tools().call(ToolCallContext::new(self, request, context))).await;
        let ended = self.facts.tick();
        let mut calls = self.facts.calls();
        if read.is_some() {
            calls.reads[call].served = answered.as_ref().ok().and_then(served);
        } else {
            calls.writes[call].ended = Some(ended);
        }
        drop(calls);
        answered
    }
}

/// Returns when the run began whose answer this is.
fn served(answered: &CallToolResponse) -> Option<u64> {
    let CallToolResponse::Complete(result) = answered else { return None };
    result.content.first()?.as_text()?.text.parse().ok()
}

/// Calls a tool, and waits until the call has ended.
pub(super) async fn call(client: &Client, tool: &'static str, key: u32, takes: u64, ends: Ends) {
    let request = request(tool, &json!({ "key": key, "takes": takes, "ends": ends }));
    if ends != Ends::Cancelled {
        let _ = client.call_tool(request).await;
        return;
    }
    let request = ClientRequest::CallToolRequest(Request::new(request));
    let sent = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await.expect("sent");
    sleep(Duration::from_millis(takes)).await;
    sent.cancel(None).await.expect("cancelled");
    // The server has ended the call once the clock moves.
    sleep(Duration::from_millis(1)).await;
}
