//! The OTLP export that `init()` starts, configured by the standard environment variables.

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

/// The instrumentation scope of all spans and metrics.
const NAME: &str = "resilient-runtime";

/// The cardinality limit of this crate's instruments. Label values are names in the code, so their number is bounded;
/// the SDK's default of 2,000 is too low for some 300 tools.
const MOST_SERIES: usize = 20_000;

/// The running export. It ends when dropped.
#[derive(Debug, Default)]
pub(crate) struct Exporting {
    spans: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// The signals to export.
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

/// Starts the export that the environment requests. Also returns warnings about wrong settings.
pub(crate) fn start() -> (Exporting, Option<SdkTracer>, Vec<String>) {
    let wanted = Wanted::of(|name| std::env::var(name).ok());
    if !wanted.spans && !wanted.metrics {
        return (Exporting::default(), None, Vec::new());
    }
    // In a separate thread, because the blocking HTTP client must not be created within an async runtime.
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

/// Raises the cardinality limit of this crate's instruments, and leaves those of the application unchanged.
fn of_many_tools(instrument: &Instrument) -> Option<Stream> {
    let is_ours = instrument.scope().name() == NAME;
    is_ours.then(|| Stream::builder().with_cardinality_limit(MOST_SERIES).build().ok()).flatten()
}

impl Drop for Exporting {
    fn drop(&mut self) {
        // Each provider shuts down in a separate thread, which is abandoned after the time limit: the SDK waits for the
        // exporter, and the exporter for a collector that may be unreachable.
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
        // No message is sent; `recv` returns when all senders are dropped.
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
