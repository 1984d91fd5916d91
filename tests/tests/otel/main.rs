//! Spans and metrics by the OpenTelemetry conventions for MCP, as exporters get them.

mod calls;
mod exported;
mod metrics;
mod over_http;
mod upstream;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use resilient_runtime::{CallContext, McpError, ResilienceError, otel, resilient};
use resilient_tests::faults::PRIVATE;
use resilient_tests::in_process::{Client, request};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResult, RequestMetaObject};
use rmcp::{ServiceError, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const DURATION: &str = "mcp.server.operation.duration";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SHOP")]
enum Failure {
    #[error("down: {0}")]
    #[mcp(kind = unavailable)]
    Down(String),
    #[error("private {0}")]
    #[mcp(kind = internal, message = "a public message", protocol = -33001)]
    Protocol(String),
    #[error("private {0}")]
    #[mcp(kind = invalid_input, message = "the caller's fault", protocol = -32602)]
    Caller(String),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    what: String,
    #[serde(default)]
    text: String,
}

/// Ends as it is told.
async fn obey(Ask { what, text }: Ask) -> Result<String, Failure> {
    match what.as_str() {
        "ok" => Ok(text),
        "down" => Err(Failure::Down(format!("{PRIVATE} {text}"))),
        "protocol" => Err(Failure::Protocol(format!("{PRIVATE} {text}"))),
        "caller" => Err(Failure::Caller(format!("{PRIVATE} {text}"))),
        "panic" => panic!("{PRIVATE}"),
        _ => std::future::pending().await,
    }
}

/// A server whose upstream is at this address.
#[derive(Debug, Clone, Default)]
struct Shop {
    upstream: String,
}

#[resilient(timeout = "1s")]
#[tool_router(server_handler)]
impl Shop {
    /// Does what it is told.
    #[tool(annotations(read_only_hint = true))]
    async fn ask(&self, Parameters(asked): Parameters<Ask>) -> Result<String, Failure> {
        obey(asked).await
    }

    /// Asks its upstream.
    #[tool]
    async fn pass_on(&self) -> Result<String, Failure> {
        let headers = CallContext::current().map(|call| call.headers()).unwrap_or_default();
        let asked = reqwest::Client::new().get(&self.upstream).headers(headers).send().await;
        asked.map(|_| "passed on".to_owned()).map_err(|error| Failure::Down(error.to_string()))
    }

    /// Asks its upstream from a task of its own.
    #[tool]
    async fn pass_on_in_a_task(&self) -> Result<String, Failure> {
        let shop = self.clone();
        let call = CallContext::current().expect("a call");
        tokio::spawn(call.instrument(async move { shop.pass_on().await })).await.expect("no panic")
    }
}

/// Spans of this thread, as an exporter gets them.
struct Spans {
    exporter: InMemorySpanExporter,
    _provider: SdkTracerProvider,
    _default: tracing::subscriber::DefaultGuard,
}

impl Spans {
    fn record() -> Self {
        Self::record_as(Sampler::AlwaysOn)
    }

    fn record_as(sampler: Sampler) -> Self {
        // While there is one subscriber alone, whether anybody listens is asked on whatever thread comes
        // first, where another test may have none.
        static ANOTHER: LazyLock<tracing::Dispatch> =
            LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::registry()));
        LazyLock::force(&ANOTHER);
        let exporter = InMemorySpanExporter::default();
        let provider =
            SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).with_sampler(sampler).build();
        let subscriber = tracing_subscriber::registry().with(otel::layer(provider.tracer("test")));
        Self { exporter, _provider: provider, _default: tracing::subscriber::set_default(subscriber) }
    }

    /// Those of tool calls.
    fn calls(&self) -> Vec<SpanData> {
        let all = self.exporter.get_finished_spans().expect("spans");
        all.into_iter().filter(|span| span.name.starts_with("tools/call")).collect()
    }

    fn last(&self) -> SpanData {
        self.calls().pop().expect("a span")
    }
}

fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    let attributes = span.attributes.iter().map(|attribute| (attribute.key.to_string(), attribute.value.to_string()));
    attributes.collect()
}

async fn ask(client: &Client, what: &str) -> Result<CallToolResult, ServiceError> {
    client.call_tool(request("ask", &json!({ "what": what }))).await
}

fn with_meta(mut request: CallToolRequestParams, meta: &[(&str, &str)]) -> CallToolRequestParams {
    let mut given = RequestMetaObject::new();
    for (key, value) in meta {
        given.0.0.insert((*key).into(), json!(value));
    }
    request.meta = Some(given);
    request
}
