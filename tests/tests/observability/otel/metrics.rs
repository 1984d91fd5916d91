//! Metrics, as a provider of the application collects them.

use std::collections::BTreeMap;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use resilient_runtime::{Registry, otel, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::ShopError;
use resilient_tests::faults::PRIVATE;
use resilient_tests::in_process::{self, request, with_meta};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{tool, tool_router};
use serde_json::json;

use super::{Ask, DURATION, obey};
use crate::methods::{NOTIFICATIONS, REQUESTS, send_each};

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

    /// Returns everything that the exporter received.
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

#[tokio::test(start_paused = true)]
async fn durations_of_operations_are_measured_by_the_conventions() {
    #[derive(Debug, Clone)]
    struct Measured;

    #[resilient(timeout = "1s")]
    #[tool_router(server_handler)]
    impl Measured {
        /// Ends as its argument says.
        #[tool]
        async fn measured(&self, Parameters(asked): Parameters<Ask>) -> Result<String, ShopError> {
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
    // Other tests of this process call unknown tools too.
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

/// In a separate process, because other tests send requests too.
#[tokio::test(start_paused = true)]
async fn the_duration_of_every_method_is_measured() {
    if ran_in_a_child() {
        return;
    }
    let metrics = Metrics::install();
    send_each().await;
    let durations = metrics.durations();
    for method in REQUESTS.iter().chain(NOTIFICATIONS) {
        let of_method: Vec<_> =
            durations.iter().filter(|(attributes, _)| attributes["mcp.method.name"] == **method).collect();
        let [(attributes, (1, _))] = &of_method[..] else { panic!("{method}: {of_method:?} in {durations:#?}") };
        assert!(!attributes.contains_key("gen_ai.tool.name"), "{method}: {attributes:?}");
        // What is not found is the caller's fault.
        assert!(!attributes.contains_key("error.type"), "{method}: {attributes:?}");
        let is_missing = REQUESTS.contains(method) && *method != "initialize";
        let status = attributes.get("rpc.response.status_code").map(String::as_str);
        assert_eq!(status, is_missing.then_some("-32002"), "{method}");
        let is_request = REQUESTS.contains(method);
        assert_eq!(attributes.contains_key("network.transport"), is_request, "{method}: {attributes:?}");
    }
}

/// In a separate process, because it compares all series of the process.
#[tokio::test(start_paused = true)]
async fn ten_thousand_calls_of_distinct_clients_add_no_series() {
    #[derive(Debug, Clone)]
    struct Many;

    #[resilient(timeout = "1s")]
    #[tool_router(server_handler)]
    impl Many {
        /// Ends as its argument says.
        #[tool]
        async fn many(&self, Parameters(asked): Parameters<Ask>) -> Result<String, ShopError> {
            obey(asked).await
        }
    }

    if ran_in_a_child() {
        return;
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
