//! The layer that exports `tracing` spans to OpenTelemetry.

use opentelemetry::trace::Tracer;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Crates whose spans are not exported: the exporter's own, because each export would create more spans to export, and
/// rmcp's, because one of its spans lasts as long as the session and would make it a single trace.
const OTHERS: [&str; 8] =
    ["h2", "hyper", "hyper_util", "opentelemetry", "opentelemetry_sdk", "reqwest", "rmcp", "rustls"];

/// Creates a layer that passes spans from INFO on to a tracer, without their events.
///
/// Events stay in the log, where they are masked; those of errors contain private texts that must not leave the process
/// any other way. If you use your own `tracing_opentelemetry` layer, it exports events unmasked.
///
/// Attributes are passed on as recorded; [`init`](crate::logging::init) exports them masked. Spans of rmcp and of the exporter's
/// HTTP client are left out.
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
