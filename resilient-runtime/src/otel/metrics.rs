//! Metrics: the duration of operations, recorded as they end, and all that is read when collected.

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

/// Lets this meter measure the calls of this process, for as long as that runs. To be called once for
/// each meter provider: each further time would count everything twice. The global provider is left
/// alone.
///
/// The SDK shows no more than 2,000 series of an instrument, unless a view says otherwise, and adds up
/// the others as one with `otel.metric.overflow`. `resilient_calls` has seven for each tool, so with more
/// than 280 tools give the provider a view with a higher limit, as [`init`](crate::init) has with 20,000:
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
/// What is counted of a [`Registry`](crate::Registry) of a test's own is not shown; the durations of
/// its calls are.
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
