//! Spans of calls over real HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{Next, from_fn};
use resilient_runtime::otel;
use resilient_tests::faults::provide_tls;
use resilient_tests::in_process::{Client, request, with_meta};
use resilient_tests::wire::{CALL, meta};
use rmcp::model::ProtocolVersion;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ClientLifecycleMode, ClientServiceExt as _};
use serde_json::json;
use tracing::Instrument as _;

use crate::http::serve;

use super::{PARENT, Shop, Spans, TRACE, attributes};

/// Returns the routes of the shop, for an application.
fn shop() -> Router {
    let (sessions, config) = (Arc::new(LocalSessionManager::default()), StreamableHttpServerConfig::default());
    Router::new().route_service("/mcp", StreamableHttpService::new(|| Ok(Shop::default()), sessions, config))
}

/// Connects a client with this lifecycle, which sends these headers with every request.
async fn connect(app: Router, greeting: ClientLifecycleMode, headers: http::HeaderMap) -> Client {
    provide_tls();
    let url = format!("{}/mcp", serve(app).await);
    let http = reqwest::Client::builder().default_headers(headers).build().expect("a client");
    let transport =
        StreamableHttpClientTransport::with_client(http, StreamableHttpClientTransportConfig::with_uri(url));
    ().serve_with_lifecycle(transport, greeting).await.expect("a server")
}

/// With a session, and without.
fn greetings() -> [ClientLifecycleMode; 2] {
    let stateless = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    [ClientLifecycleMode::Initialize, stateless]
}

#[tokio::test]
async fn over_real_http_the_span_says_so_and_links_what_the_headers_say() {
    const AROUND: &str = "11111111111111111111111111111111";
    let spans = Spans::record();
    let mut headers = http::HeaderMap::new();
    headers.insert("traceparent", format!("00-{AROUND}-2222222222222222-01").parse().expect("a header"));
    let client = connect(shop(), ClientLifecycleMode::Initialize, headers).await;
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

#[tokio::test]
async fn a_span_around_the_http_request_that_is_carried_is_parent_or_link() {
    for greeting in greetings() {
        let spans = Spans::record();
        let opened =
            from_fn(async |request, next: Next| next.run(request).instrument(tracing::info_span!("http")).await);
        let app = shop().layer(from_fn(otel::carry_span)).layer(opened);
        // The headers name the parent of the span that is carried.
        let mut headers = http::HeaderMap::new();
        headers.insert("traceparent", format!("00-{TRACE}-2222222222222222-01").parse().expect("a header"));
        let case = format!("{greeting:?}");
        let client = connect(app, greeting, headers).await;
        let mut around = BTreeSet::new();
        for meta in [&[][..], &[("traceparent", PARENT)], &[]] {
            client.call_tool(with_meta(request("ask", &json!({ "what": "ok" })), meta)).await.expect("an answer");
            let span = spans.last();
            let of = if meta.is_empty() {
                assert_eq!(span.links.len(), 0, "{case}");
                assert!(!span.parent_span_is_remote, "{case}");
                span.parent_span_id
            } else {
                assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7", "{case}");
                assert_eq!(span.links.len(), 1, "{case}");
                span.links[0].span_context.span_id()
            };
            let all = spans.exporter.get_finished_spans().expect("spans");
            assert!(all.iter().any(|it| it.name == "http" && it.span_context.span_id() == of), "{case} {span:?}");
            around.insert(of.to_string());
        }
        assert_eq!(around.len(), 3, "{case}: each call has its own request");
    }
}

#[tokio::test]
async fn the_correlation_id_is_the_trace_of_the_spans_parent_wherever_that_came_from() {
    const AROUND: &str = "11111111111111111111111111111111";
    let spans = Spans::record();
    let mut headers = http::HeaderMap::new();
    headers.insert("traceparent", format!("00-{AROUND}-2222222222222222-01").parse().expect("a header"));
    let client = connect(shop(), ClientLifecycleMode::Initialize, headers).await;
    for members in [&[("traceparent", PARENT)][..], &[]] {
        let asked = with_meta(request("ask", &json!({ "what": "ok" })), members);
        let answer = client.call_tool(asked).await.expect("an answer");
        let told = meta(&answer, CALL);
        let trace = if members.is_empty() { AROUND } else { TRACE };
        assert_eq!(told["correlation_id"], trace);
        assert_eq!(spans.last().span_context.trace_id().to_string(), trace);
    }
}
