//! The layer that makes spans of `tracing` those of OpenTelemetry.

use opentelemetry::trace::Tracer;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Whose spans are no part of a trace: what exports them, which would have more to export for each
/// export, and rmcp's, of which one is as long as a session and would make it a single trace.
const OTHERS: [&str; 8] =
    ["h2", "hyper", "hyper_util", "opentelemetry", "opentelemetry_sdk", "reqwest", "rmcp", "rustls"];

/// A layer that gives a tracer the spans from INFO on, and none of their events: the log has those,
/// masked, and with the private texts of errors that leave the process nowhere else. A layer of
/// `tracing_opentelemetry` of your own does export them, as it comes.
///
/// Attributes are as they were recorded; [`init`](crate::init) exports them masked. Spans of rmcp and of
/// the HTTP client that exports are left out.
///
/// ```
/// use opentelemetry::trace::TracerProvider as _;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let tracers = SdkTracerProvider::builder().build();
/// let subscriber = tracing_subscriber::registry().with(resilient_runtime::otel::layer(tracers.tracer("my-server")));
/// # drop(subscriber);
/// ```
pub fn layer<S, T>(tracer: T) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    T: Tracer + Send + Sync + 'static,
    T::Span: Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_wanted))
}

fn is_wanted(metadata: &Metadata<'_>) -> bool {
    let krate = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_span() && *metadata.level() <= Level::INFO && !OTHERS.contains(&krate)
}
