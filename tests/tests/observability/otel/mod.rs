//! Spans and metrics by the OpenTelemetry conventions for MCP, as exporters receive them.

mod calls;
mod exported;
mod metrics;
mod over_http;
mod upstream;

use std::collections::BTreeMap;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use resilient_runtime::{CallContext, otel, resilient};
use resilient_tests::failure::ShopError;
use resilient_tests::faults::PRIVATE;
use resilient_tests::in_process::{Client, request};
use resilient_tests::logs::{Listening, listen};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::{ServiceError, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const DURATION: &str = "mcp.server.operation.duration";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    what: String,
    #[serde(default)]
    text: String,
}

/// Ends as the argument says.
async fn obey(Ask { what, text }: Ask) -> Result<String, ShopError> {
    match what.as_str() {
        "ok" => Ok(text),
        "down" => Err(ShopError::Down(format!("{PRIVATE} {text}"))),
        "protocol" => Err(ShopError::Protocol(format!("{PRIVATE} {text}"))),
        "caller" => Err(ShopError::Caller(format!("{PRIVATE} {text}"))),
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
    /// Ends as its argument says.
    #[tool(annotations(read_only_hint = true))]
    async fn ask(&self, Parameters(asked): Parameters<Ask>) -> Result<String, ShopError> {
        obey(asked).await
    }

    /// Calls its upstream.
    #[tool]
    async fn pass_on(&self) -> Result<String, ShopError> {
        let headers = CallContext::current().map(|call| call.headers()).unwrap_or_default();
        let asked = reqwest::Client::new().get(&self.upstream).headers(headers).send().await;
        asked.map(|_| "passed on".to_owned()).map_err(|error| ShopError::Down(error.to_string()))
    }

    /// Calls its upstream from a spawned task.
    #[tool]
    async fn pass_on_in_a_task(&self) -> Result<String, ShopError> {
        let shop = self.clone();
        let call = CallContext::current().expect("a call");
        tokio::spawn(call.instrument(async move { shop.pass_on().await })).await.expect("no panic")
    }
}

/// The spans of this thread, as an exporter receives them.
struct Spans {
    exporter: InMemorySpanExporter,
    _provider: SdkTracerProvider,
    _default: Listening,
}

impl Spans {
    fn record() -> Self {
        Self::record_as(Sampler::AlwaysOn)
    }

    fn record_as(sampler: Sampler) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider =
            SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).with_sampler(sampler).build();
        let subscriber = tracing_subscriber::registry().with(otel::layer(provider.tracer("test")));
        Self { exporter, _provider: provider, _default: listen(subscriber) }
    }

    /// Returns the spans of tool calls.
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
