//! What operators see of the state that replicas share.

use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use resilient_runtime::export::prometheus;
use resilient_runtime::policy::{RateLimitSettings, RateLimitUse};
use resilient_runtime::replicas::{Opening, OpeningId, PermitRequest, SharedError, SharedFuture, SharedState, Taken};
use resilient_runtime::{Guard, Policy, Resilience, ResilienceError, otel};
use resilient_tests::alone::ran_in_a_child;

/// A store that cannot be reached.
#[derive(Debug)]
struct Away;

impl SharedState for Away {
    fn take<'a>(&'a self, _: &'a PermitRequest) -> SharedFuture<'a, Taken> {
        Box::pin(async { Err(SharedError::new("away")) })
    }

    fn publish<'a>(&'a self, _: &'a Opening) -> SharedFuture<'a, ()> {
        Box::pin(async { Err(SharedError::new("away")) })
    }

    fn openings<'a>(&'a self, _: &'a [&'static str]) -> SharedFuture<'a, Vec<Option<OpeningId>>> {
        Box::pin(async { Err(SharedError::new("away")) })
    }

    fn secret(&self) -> [u8; 16] {
        [7; 16]
    }
}

const RATE: RateLimitSettings = RateLimitSettings::new(100, Duration::from_secs(1));

static SEARCH: Guard =
    Guard::new("observed-search", Policy::new().rate_limit(RateLimitUse::new(RATE).named("search").distributed()));

/// The series of the shared state in the Prometheus text.
fn series() -> Vec<String> {
    let text = prometheus::global_text();
    let all = text.lines().filter(|line| line.starts_with("resilient_distributed_"));
    all.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_replica_decides_alone_is_exported_by_part_once_there_is_a_store() {
    // Both exporters read the registry of the process, and the replicas of a process share one secret.
    if ran_in_a_child() {
        return;
    }
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    otel::install(&provider.meter("test"));
    assert_eq!(series(), Vec::<String>::new());
    let _settings = Resilience::from_variables([]).shared(Away).guard(&SEARCH).start().expect("valid settings");
    let counted = |count: u32| {
        let line = |part, count| format!("resilient_distributed_degraded_total{{part=\"{part}\"}} {count}");
        [line("rate_limit", count), line("breaker", 0)]
    };
    assert_eq!(series(), counted(0));
    for _ in 0..5 {
        assert_eq!(SEARCH.call(|| async { Ok::<_, ResilienceError>(()) }).await, Ok(()));
    }
    assert_eq!(series(), counted(5));

    provider.force_flush().expect("flushed");
    let finished = exporter.get_finished_metrics().expect("metrics");
    let mut metrics = finished.iter().flat_map(|all| all.scope_metrics().flat_map(ScopeMetrics::metrics));
    let degraded = metrics.find(|metric| metric.name() == "resilient_distributed_degraded").expect("the metric");
    let AggregatedMetrics::U64(MetricData::Sum(sum)) = degraded.data() else { panic!("{degraded:?}") };
    let mut points: Vec<_> = sum
        .data_points()
        .map(|point| (point.attributes().map(|label| label.value.to_string()).collect::<String>(), point.value()))
        .collect();
    points.sort();
    assert_eq!(points, [("breaker".to_owned(), 0), ("rate_limit".to_owned(), 5)]);
}
