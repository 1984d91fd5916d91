//! Spans and metrics by the OpenTelemetry conventions for MCP, as exporters get them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{SpanKind, Status, TracerProvider as _};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use resilient_runtime::{CallContext, McpError, Registry, ResilienceError, otel, resilient};
use resilient_tests::child::Server;
use resilient_tests::faults::{PRIVATE, provide_tls};
use resilient_tests::in_process::{self, Client};
use resilient_tests::receiver::Receiver;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest, ErrorCode, Request, RequestMetaObject,
};
use rmcp::service::{PeerRequestOptions, RequestContext};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceError, ServiceExt as _, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

const SERVER: &str = env!("CARGO_BIN_EXE_server-under-test");
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
const DURATION: &str = "mcp.server.operation.duration";

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

/// The same as HTTP would bring it, or as a span around it would: with what is around a call.
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

/// A handler of its own, whose router belongs to the value, with a tool that is disabled.
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

    /// Is open.
    #[tool]
    async fn open(&self) -> Result<String, Failure> {
        Ok("open".into())
    }

    /// Is closed.
    #[tool]
    async fn closed(&self) -> Result<String, Failure> {
        Ok("closed".into())
    }
}

#[resilient]
#[tool_handler(router = self.router)]
impl ServerHandler for Own {}

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

/// The durations of operations, by their attributes: how many there are, and the edges.
type Durations = BTreeMap<BTreeMap<String, String>, (u64, Vec<f64>)>;

struct Metrics {
    exporter: InMemoryMetricExporter,
    provider: SdkMeterProvider,
}

impl Metrics {
    fn install() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let provider =
            SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
        otel::install(&provider.meter("test"));
        Self { exporter, provider }
    }

    /// Everything that the exporter is given.
    fn collect(&self) -> Vec<opentelemetry_sdk::metrics::data::ResourceMetrics> {
        self.exporter.reset();
        self.provider.force_flush().expect("flushed");
        self.exporter.get_finished_metrics().expect("metrics")
    }

    fn durations(&self) -> Durations {
        let mut durations = BTreeMap::new();
        for all in self.collect() {
            for metric in all.scope_metrics().flat_map(ScopeMetrics::metrics).filter(|it| it.name() == DURATION) {
                assert_eq!(metric.unit(), "s");
                let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else {
                    panic!("{metric:?}")
                };
                for point in histogram.data_points() {
                    let attributes = point.attributes().map(|it| (it.key.to_string(), it.value.to_string()));
                    durations.insert(attributes.collect(), (point.count(), point.bounds().collect()));
                }
            }
        }
        durations
    }

    /// The names and attributes of every series.
    fn series(&self) -> Vec<String> {
        let mut series = Vec::new();
        for all in self.collect() {
            for metric in all.scope_metrics().flat_map(ScopeMetrics::metrics) {
                let mut put = |attributes: Vec<&opentelemetry::KeyValue>| {
                    let mut shown: Vec<_> = attributes.iter().map(|it| format!("{}={}", it.key, it.value)).collect();
                    shown.sort();
                    series.push(format!("{}{{{}}}", metric.name(), shown.join(",")));
                };
                match metric.data() {
                    AggregatedMetrics::F64(MetricData::Histogram(it)) => {
                        it.data_points().for_each(|point| put(point.attributes().collect()));
                    }
                    AggregatedMetrics::U64(MetricData::Sum(it)) => {
                        it.data_points().for_each(|point| put(point.attributes().collect()));
                    }
                    AggregatedMetrics::U64(MetricData::Gauge(it)) => {
                        it.data_points().for_each(|point| put(point.attributes().collect()));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        series.sort();
        series
    }
}

fn request(tool: impl Into<std::borrow::Cow<'static, str>>, arguments: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().expect("an object").clone())
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

/// Calls, and gives up as soon as the tool hangs.
async fn cancel(client: &Client) {
    let request = ClientRequest::CallToolRequest(Request::new(request("ask", &json!({ "what": "hang" }))));
    let running = client.send_cancellable_request(request, PeerRequestOptions::default()).await.expect("sent");
    // Paused time moves only once everybody waits.
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

#[tokio::test]
async fn over_real_http_the_span_says_so_and_links_what_the_headers_say() {
    const AROUND: &str = "11111111111111111111111111111111";
    provide_tls();
    let spans = Spans::record();
    let service = StreamableHttpService::new(
        || Ok(Shop::default()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    let app = axum::Router::new().route_service("/mcp", service);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut headers = http::HeaderMap::new();
    headers.insert("traceparent", format!("00-{AROUND}-2222222222222222-01").parse().expect("a header"));
    let http = reqwest::Client::builder().default_headers(headers).build().expect("a client");
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let client = ().serve(StreamableHttpClientTransport::with_client(http, config)).await.expect("a server");
    for (meta, parent, links) in [(&[("traceparent", PARENT)][..], TRACE, &[AROUND][..]), (&[], AROUND, &[])] {
        for (tool, name) in [("ask", "tools/call ask"), ("no_such_tool", "tools/call")] {
            let _ = client.call_tool(with_meta(request(tool, &json!({ "what": "ok" })), meta)).await;
            let span = spans.last();
            assert_eq!(span.name, name);
            let shown = attributes(&span);
            let of = |name: &str| shown.get(name).map(String::as_str);
            assert_eq!(of("network.transport"), Some("tcp"));
            assert_eq!((of("network.protocol.name"), of("network.protocol.version")), (Some("http"), Some("1.1")));
            assert_eq!(of("mcp.session.id"), None);
            assert_eq!(span.span_context.trace_id().to_string(), parent);
            assert!(span.parent_span_is_remote);
            let linked: Vec<_> = span.links.iter().map(|link| link.span_context.trace_id().to_string()).collect();
            assert_eq!(linked, links);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_not_there_has_a_span_but_gives_its_name_to_nothing() {
    let spans = Spans::record();
    let long = "x".repeat(1_000);
    let client = in_process::connect(Shop::default()).await;
    let own = in_process::connect(Own::new()).await;
    for (client, tool) in [(&client, "no_such_tool"), (&client, &long), (&own, "closed"), (&own, "no_such_tool")] {
        let error = error_of(client.call_tool(request(tool.to_owned(), &json!({}))).await);
        // As rmcp alone would answer.
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
async fn durations_of_operations_are_measured_by_the_conventions() {
    #[derive(Debug, Clone)]
    struct Measured;

    #[resilient(timeout = "1s")]
    #[tool_router(server_handler)]
    impl Measured {
        /// Does what it is told.
        #[tool]
        async fn measured(&self, Parameters(asked): Parameters<Ask>) -> Result<String, Failure> {
            obey(asked).await
        }
    }

    let metrics = Metrics::install();
    let client = in_process::connect(Measured).await;
    let unknown_before = Registry::global().unknown_tools().count();
    for what in ["ok", "ok", "down", "hang", "panic", "protocol", "caller"] {
        let _ = client.call_tool(request("measured", &json!({ "what": what, "text": PRIVATE }))).await;
    }
    for n in 0..3 {
        let _ = client.call_tool(request(format!("unknown {n}"), &json!({}))).await;
    }
    let durations = metrics.durations();
    let base = [
        ("mcp.method.name", "tools/call"),
        ("gen_ai.operation.name", "execute_tool"),
        ("network.transport", "pipe"),
        ("mcp.protocol.version", "2025-11-25"),
    ];
    let of = |more: &[(&str, &str)]| {
        let key: BTreeMap<_, _> =
            base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        durations.get(&key).unwrap_or_else(|| panic!("{key:?} in {durations:#?}")).clone()
    };
    let tool = ("gen_ai.tool.name", "measured");
    let (count, edges) = of(&[tool]);
    assert_eq!(count, 2);
    assert_eq!(edges, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]);
    assert_eq!(of(&[tool, ("error.type", "tool_error")]).0, 2);
    assert_eq!(of(&[tool, ("error.type", "timeout")]).0, 1);
    assert_eq!(of(&[tool, ("error.type", "-33001"), ("rpc.response.status_code", "-33001")]).0, 1);
    assert_eq!(of(&[tool, ("rpc.response.status_code", "-32602")]).0, 1);
    // Other tests of this process call tools that are not there as well.
    assert!(of(&[("rpc.response.status_code", "-32602")]).0 >= 3);
    assert!(Registry::global().unknown_tools().count() >= unknown_before + 3);
    let series = metrics.series();
    for expected in [
        "resilient_calls{outcome=ok,tool=measured}",
        "resilient_calls{outcome=panic,tool=measured}",
        "resilient_errors{code=SHOP_DOWN,kind=unavailable,severity=high,tool=measured}",
        "resilient_in_flight{tool=measured}",
    ] {
        assert!(series.iter().any(|known| known == expected), "{expected} in {series:#?}");
    }
    let shown = format!("{:?}", metrics.collect());
    assert!(!shown.contains(PRIVATE) && !shown.contains("unknown 1"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_calls_of_distinct_clients_add_no_series() {
    #[derive(Debug, Clone)]
    struct Many;

    #[resilient(timeout = "1s")]
    #[tool_router(server_handler)]
    impl Many {
        /// Does what it is told.
        #[tool]
        async fn many(&self, Parameters(asked): Parameters<Ask>) -> Result<String, Failure> {
            obey(asked).await
        }
    }

    let metrics = Metrics::install();
    let client = in_process::connect(Many).await;
    let round = async |n: u32| {
        for what in ["ok", "down", "protocol"] {
            let mine = request("many", &json!({ "what": what, "text": format!("text {n}") }));
            let trace = format!("00-{:032x}-00f067aa0ba902b7-01", n + 1);
            let mine = with_meta(mine, &[("traceparent", &trace), ("user", &format!("user {n}"))]);
            let _ = client.call_tool(mine).await;
        }
        let _ = client.call_tool(request(format!("no tool {n}"), &json!({}))).await;
    };
    let mine = || -> Vec<String> {
        let is_mine = |series: &String| series.contains("=many") || !series.contains("tool");
        metrics.series().into_iter().filter(is_mine).collect()
    };
    round(0).await;
    let before = mine();
    for n in 1..2_500 {
        round(n).await;
    }
    assert_eq!(mine(), before);
    let unknown = BTreeMap::from(
        [
            ("mcp.method.name", "tools/call"),
            ("gen_ai.operation.name", "execute_tool"),
            ("network.transport", "pipe"),
            ("mcp.protocol.version", "2025-11-25"),
            ("rpc.response.status_code", "-32602"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert!(metrics.durations()[&unknown].0 >= 2_500);
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
    // Without one in the request what is around it is the parent.
    let spans = Spans::record();
    let client = in_process::connect(Around { headers: None, span: true }).await;
    ask(&client, "ok").await.expect("an answer");
    let all = spans.exporter.get_finished_spans().expect("spans");
    let around = all.iter().find(|span| span.name == "around").expect("the span around");
    assert_eq!(spans.last().parent_span_id, around.span_context.span_id());
}

#[tokio::test]
async fn the_upstream_hears_of_the_span_that_asks_it() {
    provide_tls();
    let upstream = Receiver::start().await.expect("a port");
    let shop = Shop { upstream: upstream.url() };
    for tool in ["pass_on", "pass_on_in_a_task"] {
        let spans = Spans::record();
        let client = in_process::connect(shop.clone()).await;
        let asked = with_meta(request(tool, &json!({})), &[("traceparent", PARENT), ("tracestate", "a=1")]);
        let answer = client.call_tool(asked).await.expect("an answer");
        let span = spans.last();
        let received = upstream.received().pop().expect("a request");
        // A guarded function within the call has a span of its own below the tool's.
        let all = spans.exporter.get_finished_spans().expect("spans");
        let asks = all.iter().find(|span| span.name == "pass_on").unwrap_or(&span);
        assert!(asks == &span || asks.parent_span_id == span.span_context.span_id(), "{tool}");
        let span_id = asks.span_context.span_id();
        assert_eq!(received.header("traceparent"), Some(&*format!("00-{TRACE}-{span_id}-01")), "{tool}");
        assert_eq!(received.header("tracestate"), Some("a=1"));
        assert_eq!(received.header("x-correlation-id"), Some(TRACE));
        let told = &answer.meta.expect("`_meta`").0["io.crates.resilient-runtime/call"]["correlation_id"];
        assert_eq!(told, TRACE);
    }
}

#[tokio::test]
async fn where_nothing_is_recorded_the_upstream_hears_what_the_client_sent_if_it_is_valid() {
    provide_tls();
    let upstream = Receiver::start().await.expect("a port");
    let client = in_process::connect(Shop { upstream: upstream.url() }).await;
    let garbage = format!("{PARENT}\r\nx-evil: 1");
    let long = format!("a={}", "x".repeat(10_000));
    for (sampler, parent, state, expected) in [
        (None, PARENT, "a=1", (Some(PARENT), Some("a=1"))),
        (Some(Sampler::AlwaysOff), PARENT, "a=1", (Some(PARENT), Some("a=1"))),
        (None, &garbage, "a=1", (None, None)),
        (None, PARENT, &long, (Some(PARENT), None)),
        (None, PARENT, "a=1\r\nx-evil: 1", (Some(PARENT), None)),
    ] {
        let _spans = sampler.map(Spans::record_as);
        let asked = with_meta(request("pass_on", &json!({})), &[("traceparent", parent), ("tracestate", state)]);
        client.call_tool(asked).await.expect("an answer");
        let received = upstream.received().pop().expect("a request");
        assert_eq!((received.header("traceparent"), received.header("tracestate")), expected);
        assert!(received.header("x-correlation-id").is_some_and(|id| id.len() == 32), "{received:?}");
        assert_eq!(received.header("x-evil"), None);
    }
}

/// The variables that point a child at a collector.
fn exporting(endpoint: &str) -> [(&str, &str); 2] {
    [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_SERVICE_NAME", "the-shop-under-test")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_has_the_spans_and_metrics_when_the_process_ends() {
    let collector = Receiver::start().await.expect("a port");
    let endpoint = collector.url();
    let server = Server::start_with(SERVER, &["faults"], &exporting(&endpoint)).await.expect("the server starts");
    let asked = with_meta(request("well", &json!({ "id": 7 })), &[("traceparent", PARENT)]);
    server.client().call_tool(asked).await.expect("an answer");
    server.call("fail", json!({})).await.expect("an answer");
    let _ = server.call("password=hunter2", json!({})).await;
    let answer = server.call("log", json!({})).await.expect("an answer");
    let id = answer.meta.expect("`_meta`").0["io.crates.resilient-runtime/call"]["correlation_id"].clone();
    let started = Instant::now();
    let stdout = server.stdout();
    let process = server.hang_up().await.expect("the end");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    for line in stdout {
        assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON")["jsonrpc"], "2.0");
    }
    let received = collector.received();
    let at = |path: &str| received.iter().filter(|it| it.path == path).cloned().collect::<Vec<_>>();
    let (traces, metrics) = (at("/v1/traces"), at("/v1/metrics"));
    let shown = |texts: &[&str], all: &[resilient_tests::receiver::Received]| {
        for text in texts {
            assert!(all.iter().any(|it| it.holds(text)), "{text} in {:#?}", process.log());
        }
    };
    shown(&["the-shop-under-test", "tools/call well", "tools/call fail", "gen_ai.tool.name", "pipe"], &traces);
    let (trace, parent) = (u128::from_str_radix(TRACE, 16), u64::from_str_radix("00f067aa0ba902b7", 16));
    let (trace, parent) = (trace.expect("hex").to_be_bytes(), parent.expect("hex").to_be_bytes());
    assert!(traces.iter().any(|it| it.holds(trace) && it.holds(parent)));
    shown(&["the-shop-under-test", DURATION, "resilient_calls", "resilient_breaker_state"], &metrics);
    for all in [&traces, &metrics] {
        assert!(!all.is_empty());
        for it in all {
            assert_eq!(it.header("content-type"), Some("application/x-protobuf"));
            assert!(!it.holds(PRIVATE) && !it.holds("hunter2"));
        }
    }
    // The correlation id of the answer finds the line that the tool wrote.
    let id = id.as_str().expect("an id");
    let log = process.log();
    assert!(log.iter().any(|line| line.contains("hello from the tool") && line.contains(id)), "{log:#?}");
    for line in log {
        assert!(serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_the_process_still_ends_promptly() {
    // One that nobody listens at, and one that takes everything and never answers.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let kept: Arc<Mutex<Vec<std::net::TcpStream>>> = Arc::default();
    let (listener, keep) = (silent.try_clone().expect("a listener"), Arc::clone(&kept));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            keep.lock().expect("no panic").push(stream);
        }
    });
    for address in [closed, silent.local_addr().expect("an address")] {
        let endpoint = format!("http://{address}");
        let server = Server::start_with(SERVER, &["faults"], &exporting(&endpoint)).await.expect("the server starts");
        assert_eq!(server.call("well", json!({ "id": 7 })).await.expect("an answer").is_error, Some(false));
        let started = Instant::now();
        server.hang_up().await.expect("the end");
        assert!(started.elapsed() < Duration::from_secs(6), "{address} {:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_sdk_exports_nothing() {
    let collector = Receiver::start().await.expect("a port");
    let endpoint = collector.url();
    let variables = [&exporting(&endpoint)[..], &[("OTEL_SDK_DISABLED", "true")]].concat();
    let server = Server::start_with(SERVER, &["faults"], &variables).await.expect("the server starts");
    server.call("well", json!({ "id": 7 })).await.expect("an answer");
    server.hang_up().await.expect("the end");
    assert_eq!(collector.received().len(), 0);
}
