//! Metrics: operation durations, recorded when an operation ends, and the series that are read at collection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
#[cfg(feature = "rmcp")]
use std::time::Duration;

#[cfg(feature = "rmcp")]
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

use super::observed;
use crate::statistics::HistogramSnapshot;

static ARE_RECORDED: AtomicBool = AtomicBool::new(false);
static DURATIONS: RwLock<Vec<Histogram<f64>>> = RwLock::new(Vec::new());

/// Registers instruments with this meter that measure the calls of this process for the rest of its lifetime. Call it
/// once per meter provider: each further call would count everything twice. It does not change the global provider.
///
/// The SDK exports at most 2,000 series of an instrument, unless a view sets another limit, and adds up the others in
/// one series with `otel.metric.overflow`. `resilient_calls` has eight series per tool, so with more than 250 tools
/// give the provider a view with a higher limit, as [`init`](crate::logging::init) does with 20,000:
///
/// ```
/// use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
///
/// let view = |instrument: &Instrument| {
///     let is_ours = instrument.scope().name() == "my-server"; // the name of the meter
///     is_ours.then(|| Stream::builder().with_cardinality_limit(20_000).build().ok()).flatten()
/// };
/// let meters = SdkMeterProvider::builder().with_view(view).build();
/// # drop(meters);
/// ```
///
/// The statistics of a separate [`Registry`](crate::Registry), as in tests, are not exported, except for the durations
/// of its calls.
pub fn install(meter: &Meter) {
    let edges = HistogramSnapshot::CONVENTIONAL.map(|edge| edge.as_secs_f64());
    let durations = meter
        .f64_histogram("mcp.server.operation.duration")
        .with_unit("s")
        .with_description("Duration of MCP operations as observed by this server")
        .with_boundaries(edges.to_vec())
        .build();
    DURATIONS.write().unwrap_or_else(PoisonError::into_inner).push(durations);
    ARE_RECORDED.store(true, Ordering::Relaxed);
    observed::install(meter);
}

#[cfg(feature = "rmcp")]
pub(crate) fn are_recorded() -> bool {
    ARE_RECORDED.load(Ordering::Relaxed)
}

/// Records an operation that took so long.
#[cfg(feature = "rmcp")]
pub(crate) fn record(took: Duration, attributes: &[KeyValue]) {
    let seconds = took.as_secs_f64();
    for durations in &*DURATIONS.read().unwrap_or_else(PoisonError::into_inner) {
        durations.record(seconds, attributes);
    }
}
