//! Requests that a handler serves itself, as a client sees them: each one is answered.

mod authorize;
mod authorize_parts;
mod by_hand;
mod nested;
mod policies;
mod prompts;
mod reads;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::export::prometheus;
use resilient_runtime::{CallContext, Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::{Client, connect};
use resilient_tests::wire::{CALL, ERROR};
use rmcp::model::{
    ArgumentInfo, ClientRequest, CompleteRequestParams, CompleteResult, CompletionInfo, CustomRequest, CustomResult,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Reference,
    ResourceContents, ServerCapabilities, ServerConfig,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestContext};
use rmcp::{ErrorData as McpError, RoleServer, ServerHandler, ServiceError};
use serde_json::Value;

/// Returns what a client reads of an error, with its JSON-RPC code.
pub(super) fn refused<T: std::fmt::Debug>(answered: Result<T, ServiceError>) -> (i32, Value) {
    match answered {
        Err(ServiceError::McpError(error)) => (error.code.0, error.data.expect("data")[ERROR].clone()),
        other => panic!("{other:?}"),
    }
}

/// A server whose methods do what the request says.
#[derive(Debug, Clone, Default)]
struct Obedient {
    dropped: Arc<AtomicU32>,
}

/// Counts when it is dropped.
struct Dropped(Arc<AtomicU32>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Obedient {
    async fn obey(&self, what: &str) -> Result<(), McpError> {
        let _dropped = Dropped(Arc::clone(&self.dropped));
        match what {
            "panic" => panic!("a private text"),
            "hang" => pending().await,
            "late" => tokio::time::sleep(Duration::from_secs(4)).await,
            "missing" => return Err(McpError::resource_not_found("no such thing", None)),
            "warn" => CallContext::current().expect("a context").warn("cut at 10"),
            _ => {}
        }
        Ok(())
    }
}

#[resilient(timeout = "5s")]
impl ServerHandler for Obedient {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_prompts().enable_resources();
        ServerConfig::new(capabilities.enable_completions().build())
    }

    async fn read_resource(
        &self,
        ReadResourceRequestParams { uri, .. }: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, McpError> {
        self.obey(&uri).await?;
        let id = CallContext::current().and_then(|context| Some(context.request_id()?.to_owned()));
        Ok(ReadResourceResult::new(vec![ResourceContents::text(id.unwrap_or_default(), uri)]).into())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, McpError> {
        self.obey(&request.name).await?;
        Ok(GetPromptResult::new(Vec::new()).into())
    }

    fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<CompleteResult, McpError>> + Send + '_ {
        assert!(request.argument.value != "panic early");
        async move {
            self.obey(&request.argument.value).await?;
            Ok(CompleteResult::new(CompletionInfo::default()))
        }
    }

    /// The cursor says what it does.
    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, McpError> {
        self.obey(request.and_then(|request| request.cursor).as_deref().unwrap_or_default()).await?;
        Ok(ListToolsResult::default())
    }

    fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> std::future::Ready<Result<ListResourcesResult, McpError>> {
        std::future::ready(Ok(ListResourcesResult::default()))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, McpError> {
        self.obey(&request.method).await?;
        Ok(CustomResult::new(Value::Bool(true)))
    }

    async fn on_roots_list_changed(&self, _context: NotificationContext<RoleServer>) {
        let _dropped = Dropped(Arc::clone(&self.dropped));
        panic!("in a notification");
    }
}

fn completion(value: &str) -> CompleteRequestParams {
    CompleteRequestParams::new(Reference::for_prompt("any"), ArgumentInfo::new("any", value))
}

/// Sends every request that the server serves, with this word.
async fn refused_by_each(client: &Client, what: &'static str) -> Vec<(&'static str, (i32, Value))> {
    let custom = ClientRequest::CustomRequest(CustomRequest::new(what, None));
    vec![
        ("read_resource", refused(client.read_resource(ReadResourceRequestParams::new(what)).await)),
        ("get_prompt", refused(client.get_prompt(GetPromptRequestParams::new(what)).await)),
        ("complete", refused(client.complete(completion(what)).await)),
        (
            "list_tools",
            refused(client.list_tools(Some(PaginatedRequestParams::default().with_cursor(Some(what.into())))).await),
        ),
        ("on_custom_request", refused(client.send_request(custom).await)),
    ]
}

async fn is_alive(client: &Client) {
    let read = client.read_resource(ReadResourceRequestParams::new("x")).await.expect("an answer");
    assert!(read.meta.is_none(), "nothing to tell: {read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_any_request_is_answered_with_an_id_and_without_its_text() {
    let client = connect(Obedient::default()).await;
    let mut all = refused_by_each(&client, "panic").await;
    all.push(("complete, before its future", refused(client.complete(completion("panic early")).await)));
    for (method, (code, error)) in all {
        assert_eq!(
            (code, &error["kind"], &error["code"]),
            (-32603, &"internal".into(), &"INTERNAL".into()),
            "{method}"
        );
        assert!(error["correlation_id"].is_string(), "{method}: {error}");
        assert!(!error.to_string().contains("private"), "{method}: {error}");
    }
    is_alive(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_is_answered_at_the_timeout_of_the_block() {
    let server = Obedient::default();
    let client = connect(server.clone()).await;
    let began = tokio::time::Instant::now();
    for (index, (method, (code, error))) in (1..).zip(refused_by_each(&client, "hang").await) {
        assert_eq!((code, &error["kind"]), (-32603, &"timeout".into()), "{method}: {error}");
        assert!(error["correlation_id"].is_string(), "{method}: {error}");
        assert_eq!(error["retryable"], method != "on_custom_request", "{method}: {error}");
        assert!(server.dropped.load(Ordering::Relaxed) >= index, "{method}");
    }
    assert_eq!(began.elapsed().as_secs(), 25);
    is_alive(&client).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_drops_its_method_and_the_session_lives_on() {
    let server = Obedient::default();
    let client = connect(server.clone()).await;
    let requests = [
        ClientRequest::ReadResourceRequest(rmcp::model::Request::new(ReadResourceRequestParams::new("hang"))),
        ClientRequest::GetPromptRequest(rmcp::model::Request::new(GetPromptRequestParams::new("hang"))),
        ClientRequest::CompleteRequest(rmcp::model::Request::new(completion("hang"))),
    ];
    for (index, request) in (1..).zip(requests) {
        let handle = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await.expect("sent");
        tokio::time::sleep(Duration::from_millis(10)).await;
        handle.cancel(None).await.expect("cancelled");
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(server.dropped.load(Ordering::Relaxed), index);
    }
    is_alive(&client).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_method_is_passed_on_with_an_id_and_a_warning_is_in_the_result() {
    let client = connect(Obedient::default()).await;
    for (method, (code, error)) in refused_by_each(&client, "missing").await {
        assert_eq!(code, -32002, "{method}");
        assert!(error["correlation_id"].is_string(), "{method}: {error}");
    }
    let warned = client.read_resource(ReadResourceRequestParams::new("warn")).await.expect("an answer");
    assert_eq!(warned.meta.expect("meta").0[CALL]["warnings"][0], "cut at 10");
    client.read_resource(ReadResourceRequestParams::new("late")).await.expect("in time");
    client.list_resources(None).await.expect("the method returns another future");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_notification_ends_nothing() {
    let server = Obedient::default();
    let client = connect(server.clone()).await;
    client.notify_roots_list_changed().await.expect("sent");
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(server.dropped.load(Ordering::Relaxed), 1);
    is_alive(&client).await;
}

/// In a separate process: the statistics of a method count all servers.
#[tokio::test(start_paused = true)]
async fn every_method_is_measured_by_its_name() {
    if ran_in_a_child() {
        return;
    }
    let client = connect(Obedient::default()).await;
    refused_by_each(&client, "panic").await;
    refused_by_each(&client, "hang").await;
    refused_by_each(&client, "missing").await;
    is_alive(&client).await;
    client.notify_roots_list_changed().await.expect("sent");
    tokio::time::sleep(Duration::from_millis(10)).await;
    let text = prometheus::global_text();
    let series = |method: &str, error: &str| {
        let labels = format!("mcp_method_name=\"{method}\",gen_ai_tool_name=\"\",error_type=\"{error}\"");
        let line = format!("mcp_server_operation_duration_seconds_count{{{labels}}} ");
        text.lines().find_map(|known| known.strip_prefix(&line)).map(str::to_owned)
    };
    for method in ["resources/read", "prompts/get", "completion/complete", "tools/list", "custom"] {
        for error in ["-32603", "timeout"] {
            assert_eq!(series(method, error).as_deref(), Some("1"), "{method} {error}: {text}");
        }
    }
    // What is not found is the caller's fault.
    assert_eq!(series("resources/read", "").as_deref(), Some("2"), "{text}");
    assert_eq!(series("notifications/roots/list_changed", "-32603").as_deref(), Some("1"), "{text}");
    assert!(!text.contains("resilient_calls_total"), "only tools and functions are calls: {text}");
    let errors = Registry::global().recent_errors();
    assert!(errors.iter().any(|error| &*error.tool == "resources/read" && &*error.code == "INTERNAL"), "{errors:?}");
}
