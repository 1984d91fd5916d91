//! The span of a call: its attributes, its parent, its links, its end.

use std::sync::Mutex;
use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use resilient_runtime::{CallContext, Registry, resilient};
use resilient_tests::failure::ShopError;
use resilient_tests::faults::PRIVATE;
use resilient_tests::in_process::{self, Client, request, with_meta};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest, ErrorCode, Request};
use rmcp::service::{PeerRequestOptions, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceError, tool, tool_handler, tool_router};
use serde_json::json;
use tracing::Instrument as _;

use super::{PARENT, Shop, Spans, TRACE, ask, attributes};

/// A handler that adds the state which HTTP, or a span around the call, would add.
#[derive(Debug, Clone)]
struct Around {
    headers: Option<http::HeaderMap>,
    span: bool,
}

impl ServerHandler for Around {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(headers) = self.headers.clone() {
            let (mut parts, ()) = http::Request::new(()).into_parts();
            parts.headers = headers;
            context.extensions.insert(parts);
        }
        let span = if self.span { tracing::info_span!("around") } else { tracing::Span::none() };
        Shop::default().call_tool(request, context).instrument(span).await
    }
}

/// A server whose handler uses the router in the value, with a tool that is disabled.
#[derive(Debug, Clone)]
struct Own {
    router: ToolRouter<Self>,
}

#[resilient]
#[tool_router]
impl Own {
    fn new() -> Self {
        Self { router: Self::tool_router().with_disabled("closed") }
    }

    /// Is enabled.
    #[tool]
    async fn open(&self) -> Result<String, ShopError> {
        Ok("open".into())
    }

    /// Is disabled.
    #[tool]
    async fn closed(&self) -> Result<String, ShopError> {
        Ok("closed".into())
    }
}

#[resilient]
#[tool_handler(router = self.router)]
impl ServerHandler for Own {}

/// Calls, and cancels once the tool hangs.
async fn cancel(client: &Client) {
    let request = ClientRequest::CallToolRequest(Request::new(request("ask", &json!({ "what": "hang" }))));
    let running = client.send_cancellable_request(request, PeerRequestOptions::default()).await.expect("sent");
    // Paused time advances only when all tasks wait.
    tokio::time::sleep(Duration::from_millis(10)).await;
    running.cancel(None).await.expect("cancelled");
    tokio::time::sleep(Duration::from_millis(10)).await;
}

fn error_of(answered: Result<CallToolResult, ServiceError>) -> ErrorData {
    match answered {
        Err(ServiceError::McpError(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_call_is_a_span_by_the_conventions_however_it_ends() {
    let spans = Spans::record();
    let client = in_process::connect(Shop::default()).await;
    for (what, error, code, status) in [
        ("ok", None, None, Status::Unset),
        ("down", Some("tool_error"), None, Status::error("")),
        ("hang", Some("timeout"), None, Status::error("")),
        ("panic", Some("tool_error"), None, Status::error("")),
        ("protocol", Some("-33001"), Some("-33001"), Status::error("SHOP_PROTOCOL: a public message.")),
        ("caller", None, Some("-32602"), Status::Unset),
    ] {
        let _ = ask(&client, what).await;
        let span = spans.last();
        let shown = attributes(&span);
        let of = |name: &str| shown.get(name).map(String::as_str);
        assert_eq!((&*span.name, &span.span_kind), ("tools/call ask", &SpanKind::Server), "{what}");
        for (name, expected) in [
            ("mcp.method.name", "tools/call"),
            ("gen_ai.tool.name", "ask"),
            ("gen_ai.operation.name", "execute_tool"),
            ("network.transport", "pipe"),
            ("mcp.protocol.version", "2025-11-25"),
        ] {
            assert_eq!(of(name), Some(expected), "{what} {name}");
        }
        assert!(of("jsonrpc.request.id").is_some(), "{what}");
        for absent in ["mcp.session.id", "network.protocol.name", "network.protocol.version", "arguments"] {
            assert_eq!(of(absent), None, "{what} {absent}");
        }
        assert_eq!((of("error.type"), of("rpc.response.status_code")), (error, code), "{what}");
        match (&span.status, &status) {
            (Status::Error { description: is }, Status::Error { description: expected }) if !expected.is_empty() => {
                assert!(is.starts_with(&**expected), "{what} {is}");
            }
            (is, expected) => assert_eq!(is, expected, "{what}"),
        }
        assert!(!format!("{span:?}").contains(PRIVATE), "{what} {span:?}");
        assert!(span.events.is_empty(), "{what} {span:?}");
    }
    cancel(&client).await;
    let span = spans.last();
    assert_eq!(attributes(&span).get("error.type").map(String::as_str), Some("cancelled"));
    assert_eq!(span.status, Status::error(""));
    assert_eq!(spans.calls().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_not_there_has_a_span_but_gives_its_name_to_nothing() {
    let spans = Spans::record();
    let long = "x".repeat(1_000);
    let client = in_process::connect(Shop::default()).await;
    let own = in_process::connect(Own::new()).await;
    for (client, tool) in [(&client, "no_such_tool"), (&client, &long), (&own, "closed"), (&own, "no_such_tool")] {
        let error = error_of(client.call_tool(request(tool.to_owned(), &json!({}))).await);
        // As rmcp alone would respond.
        assert_eq!((error.code, &*error.message, error.data), (ErrorCode::INVALID_PARAMS, "tool not found", None));
        let span = spans.last();
        let shown = attributes(&span);
        assert_eq!((&*span.name, &span.span_kind, &span.status), ("tools/call", &SpanKind::Server, &Status::Unset));
        assert_eq!(shown["gen_ai.tool.name"], tool[..tool.len().min(128)]);
        assert_eq!(shown["rpc.response.status_code"], "-32602");
        assert_eq!(shown.get("error.type"), None);
    }
    assert!(own.call_tool(request("open", &json!({}))).await.is_ok());
    assert_eq!(spans.last().name, "tools/call open");
    assert_eq!(own.list_all_tools().await.expect("tools").len(), 1);
    let tools: Vec<_> = Registry::global().tools().into_iter().map(|(name, _)| name).collect();
    assert!(!tools.iter().any(|name| &**name == "no_such_tool" || **name == *long), "{tools:?}");
}

#[tokio::test(start_paused = true)]
async fn the_traceparent_of_the_request_is_the_parent_and_what_is_around_it_a_link() {
    const AROUND: &str = "11111111111111111111111111111111";
    let mut headers = http::HeaderMap::new();
    headers.insert("traceparent", format!("00-{AROUND}-2222222222222222-01").parse().expect("a header"));
    let sent = [("traceparent", PARENT), ("tracestate", "a=1")];
    for (headers, span, meta, parent, links) in [
        (None, false, &sent[..], Some(TRACE), 0),
        (Some(headers.clone()), false, &sent[..], Some(TRACE), 1),
        (None, true, &sent[..], Some(TRACE), 1),
        (Some(headers.clone()), false, &[][..], Some(AROUND), 0),
        (None, false, &[("traceparent", "00-garbage")][..], None, 0),
    ] {
        let spans = Spans::record();
        let client = in_process::connect(Around { headers, span }).await;
        client.call_tool(with_meta(request("ask", &json!({ "what": "ok" })), meta)).await.expect("an answer");
        let span = spans.last();
        let trace = span.span_context.trace_id().to_string();
        assert_eq!(Some(&*trace).filter(|_| parent.is_some()), parent, "{span:?}");
        assert_eq!(span.parent_span_is_remote, parent.is_some(), "{span:?}");
        assert_eq!(span.links.len(), links, "{span:?}");
        if parent == Some(TRACE) {
            assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
            assert_eq!(span.span_context.trace_state().header(), "a=1");
        }
    }
    // Without a parent in the request, the span around the call is the parent.
    let spans = Spans::record();
    let client = in_process::connect(Around { headers: None, span: true }).await;
    ask(&client, "ok").await.expect("an answer");
    let all = spans.exporter.get_finished_spans().expect("spans");
    let around = all.iter().find(|span| span.name == "around").expect("the span around");
    assert_eq!(spans.last().parent_span_id, around.span_context.span_id());
}

/// A server whose tools leave state behind after they have answered.
#[derive(Debug, Clone)]
struct Leaver;

static KEPT: Mutex<Option<CallContext>> = Mutex::new(None);

#[resilient(timeout = "1s")]
#[tool_router(server_handler)]
impl Leaver {
    /// Leaves a running task.
    #[tool]
    async fn leave(&self) -> Result<String, ShopError> {
        let call = CallContext::current().expect("a call");
        let later = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            tracing::info_span!("later").in_scope(|| ());
        };
        tokio::spawn(call.instrument(later));
        Ok("left".into())
    }

    /// Keeps its context forever.
    #[tool]
    async fn keep(&self) -> Result<String, ShopError> {
        *KEPT.lock().expect("no panic") = CallContext::current();
        Ok("kept".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_span_ends_with_its_call_whatever_the_call_leaves_behind() {
    let spans = Spans::record();
    let client = in_process::connect(Leaver).await;
    client.call_tool(request("leave", &json!({}))).await.expect("an answer");
    let left = spans.last();
    assert_eq!(left.name, "tools/call leave");
    assert_eq!(attributes(&left).get("outcome").map(String::as_str), Some("ok"));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let all = spans.exporter.get_finished_spans().expect("spans");
    let later = all.iter().find(|span| span.name == "later").expect("the span of the task");
    assert_eq!(later.parent_span_id, left.span_context.span_id());
    assert_eq!(spans.calls().len(), 1, "it has not ended twice");

    client.call_tool(request("keep", &json!({}))).await.expect("an answer");
    let kept = spans.last();
    assert_eq!(kept.name, "tools/call keep");
    // The context still knows its trace and span.
    let headers = KEPT.lock().expect("no panic").as_ref().expect("a call").headers();
    let (trace, span) = (kept.span_context.trace_id(), kept.span_context.span_id());
    assert_eq!(headers["traceparent"], format!("00-{trace}-{span}-01"));
}
