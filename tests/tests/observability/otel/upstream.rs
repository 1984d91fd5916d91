//! The trace headers that upstream services receive from a call.

use opentelemetry_sdk::trace::Sampler;
use resilient_tests::faults::provide_tls;
use resilient_tests::in_process::{self, request, with_meta};
use resilient_tests::receiver::Receiver;
use resilient_tests::wire::{CALL, meta};
use serde_json::json;

use super::{PARENT, Shop, Spans, TRACE};

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
        // If a guarded function makes the request, its span is a child of the tool's.
        let all = spans.exporter.get_finished_spans().expect("spans");
        let asks = all.iter().find(|span| span.name == "pass_on").unwrap_or(&span);
        assert!(asks == &span || asks.parent_span_id == span.span_context.span_id(), "{tool}");
        let span_id = asks.span_context.span_id();
        assert_eq!(received.header("traceparent"), Some(&*format!("00-{TRACE}-{span_id}-01")), "{tool}");
        assert_eq!(received.header("tracestate"), Some("a=1"));
        assert_eq!(received.header("x-correlation-id"), Some(TRACE));
        let told = meta(&answer, CALL)["correlation_id"].clone();
        assert_eq!(told, TRACE);
    }
}

#[tokio::test]
async fn without_spans_the_upstream_hears_what_the_client_sent_if_it_is_valid() {
    provide_tls();
    let upstream = Receiver::start().await.expect("a port");
    let client = in_process::connect(Shop { upstream: upstream.url() }).await;
    let garbage = format!("{PARENT}\r\nx-evil: 1");
    let long = format!("a={}", "x".repeat(10_000));
    for (parent, state, expected) in [
        (PARENT, "a=1", (Some(PARENT), Some("a=1"))),
        (&garbage, "a=1", (None, None)),
        (PARENT, &long, (Some(PARENT), None)),
        (PARENT, "a=1\r\nx-evil: 1", (Some(PARENT), None)),
    ] {
        let asked = with_meta(request("pass_on", &json!({})), &[("traceparent", parent), ("tracestate", state)]);
        client.call_tool(asked).await.expect("an answer");
        let received = upstream.received().pop().expect("a request");
        assert_eq!((received.header("traceparent"), received.header("tracestate")), expected);
        assert!(received.header("x-correlation-id").is_some_and(|id| id.len() == 32), "{received:?}");
        assert_eq!(received.header("x-evil"), None);
    }
}

#[tokio::test]
async fn an_upstream_hears_that_a_trace_is_not_recorded_here() {
    provide_tls();
    let upstream = Receiver::start().await.expect("a port");
    let client = in_process::connect(Shop { upstream: upstream.url() }).await;
    let spans = Spans::record_as(Sampler::AlwaysOff);
    for tool in ["pass_on", "pass_on_in_a_task"] {
        let asked = with_meta(request(tool, &json!({})), &[("traceparent", PARENT), ("tracestate", "a=1")]);
        client.call_tool(asked).await.expect("an answer");
        let received = upstream.received().pop().expect("a request");
        let told = received.header("traceparent").expect("a traceparent");
        // The client requested a sampled trace, but the sampler drops it, and the client's span is not the parent.
        assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"), "{told}");
        assert!(!told.contains("00f067aa0ba902b7"), "{told}");
        assert_eq!(received.header("tracestate"), Some("a=1"));
    }
    assert_eq!(spans.exporter.get_finished_spans().expect("spans"), []);
}
