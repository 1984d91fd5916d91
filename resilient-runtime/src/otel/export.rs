//! What `init()` sends by OTLP, as the standard environment variables say.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use super::masked::Masked;

/// How long the last export may take.
const LONGEST: Duration = Duration::from_secs(3);

/// The name of the instrumentation, in every span and metric.
const NAME: &str = "resilient-runtime";

/// The most series of one of our instruments. The names in them are those of the code, so there are
/// never more than it takes; the SDK's own 2,000 are too few for some 300 tools.
const MOST_SERIES: usize = 20_000;

/// What is exported until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Exporting {
    spans: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// Which signals are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    spans: bool,
    metrics: bool,
}

impl Wanted {
    fn of(read: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| read(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let is_disabled = read("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let wants = |signal: &str| {
            let endpoint = read(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"));
            let is_none = read(&format!("OTEL_{signal}_EXPORTER")).is_some_and(|value| value == "none");
            !is_disabled && !is_none && endpoint.or_else(|| read("OTEL_EXPORTER_OTLP_ENDPOINT")).is_some()
        };
        Self { spans: wants("TRACES"), metrics: wants("METRICS") }
    }
}

/// Starts what the environment asks for. Also says what of it is wrong.
pub(crate) fn start() -> (Exporting, Option<SdkTracer>, Vec<String>) {
    let wanted = Wanted::of(|name| std::env::var(name).ok());
    if !wanted.spans && !wanted.metrics {
        return (Exporting::default(), None, Vec::new());
    }
    // On a thread of its own: the HTTP client must not be made within an async runtime.
    let built = thread::Builder::new().spawn(move || build(wanted)).map(thread::JoinHandle::join);
    let Ok(Ok((exporting, wrong))) = built else {
        return (Exporting::default(), None, vec!["nothing is exported: the exporter could not be started".to_owned()]);
    };
    let tracer = exporting.spans.as_ref().map(|spans| {
        global::set_tracer_provider(spans.clone());
        spans.tracer(NAME)
    });
    if let Some(metrics) = &exporting.metrics {
        global::set_meter_provider(metrics.clone());
        super::install(&metrics.meter(NAME));
    }
    (exporting, tracer, wrong)
}

fn build(wanted: Wanted) -> (Exporting, Vec<String>) {
    let mut exporting = Exporting::default();
    let mut wrong = Vec::new();
    if wanted.spans {
        match SpanExporter::builder().with_http().build() {
            Ok(exporter) => {
                let spans = SdkTracerProvider::builder().with_batch_exporter(Masked(exporter));
                exporting.spans = Some(spans.build());
            }
            Err(error) => wrong.push(format!("spans are not exported: {error}")),
        }
    }
    if wanted.metrics {
        match MetricExporter::builder().with_http().build() {
            Ok(exporter) => {
                let metrics = SdkMeterProvider::builder().with_view(of_many_tools).with_periodic_exporter(exporter);
                exporting.metrics = Some(metrics.build());
            }
            Err(error) => wrong.push(format!("metrics are not exported: {error}")),
        }
    }
    (exporting, wrong)
}

/// The view of our instruments; those of the application stay as they are.
fn of_many_tools(instrument: &Instrument) -> Option<Stream> {
    let is_ours = instrument.scope().name() == NAME;
    is_ours.then(|| Stream::builder().with_cardinality_limit(MOST_SERIES).build().ok()).flatten()
}

impl Drop for Exporting {
    fn drop(&mut self) {
        // Each on a thread of its own, which is left behind where its time is over: the SDK waits for
        // the exporter, and the exporter for a collector that may be gone.
        let (ended, all_ended) = mpsc::channel::<()>();
        let spawn = |shut_down: Box<dyn FnOnce() + Send>| {
            let ended = ended.clone();
            let _ = thread::Builder::new().spawn(move || {
                shut_down();
                drop(ended);
            });
        };
        if let Some(spans) = self.spans.take() {
            spawn(Box::new(move || {
                let _ = spans.shutdown_with_timeout(LONGEST);
            }));
        }
        if let Some(metrics) = self.metrics.take() {
            spawn(Box::new(move || {
                let _ = metrics.shutdown_with_timeout(LONGEST);
            }));
        }
        drop(ended);
        // Nothing is ever sent: it is over when all have hung up.
        let _ = all_ended.recv_timeout(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(variables: &[(&str, &str)]) -> (bool, bool) {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let Wanted { spans, metrics } = Wanted::of(find);
        (spans, metrics)
    }

    #[test]
    fn only_what_has_an_endpoint_and_is_not_switched_off_is_exported() {
        const ALL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        assert_eq!(wanted(&[]), (false, false));
        assert_eq!(wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), (false, false));
        assert_eq!(wanted(&[ALL]), (true, true));
        assert_eq!(wanted(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "x")]), (true, false));
        assert_eq!(wanted(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "x")]), (false, true));
        assert_eq!(wanted(&[ALL, ("OTEL_TRACES_EXPORTER", "none")]), (false, true));
        assert_eq!(wanted(&[ALL, ("OTEL_SDK_DISABLED", "True")]), (false, false));
        assert_eq!(wanted(&[ALL, ("OTEL_SDK_DISABLED", "no")]), (true, true));
    }
}
