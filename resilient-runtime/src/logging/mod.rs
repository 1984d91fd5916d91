//! `init()`: JSON lines on stderr, masked, for servers that have no subscriber of their own; with the
//! feature `otel` spans and metrics by OTLP as well.

mod filter;
mod line;
mod panics;
mod queue;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tracing::Subscriber;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

use queue::Line;

/// Starts logging: JSON lines on stderr, as stdout belongs to MCP, with times in RFC 3339 and UTC.
///
/// What is logged is said by `RUST_LOG`, in the form of
/// [`EnvFilter`](tracing_subscriber::EnvFilter); `LOG_LEVEL` is another name for it. Without either it
/// is everything from INFO on, and of rmcp from WARN on.
///
/// Before a line is written, whatever stands under the name of a secret or looks like one is masked,
/// and each text is cut at 1,000 characters. A panic is logged as one line as well, whatever is
/// filtered: where it was, and its message, masked; the panic hook that was there before is replaced.
///
/// A line of a call has its `correlation_id`, also where the call's span is filtered out.
///
/// Lines are written by a thread of their own. Where nobody reads stderr, up to 8,192 of them wait, or
/// 8 MiB; what comes then is lost, and how many lines that were is logged. Only a panic waits until its
/// line is written, for 100 ms at most: the process may be about to end. Keep the guard until the end of
/// `main`: when it is dropped, what is still to be written is, for a second at most. Later lines are
/// written at once.
///
/// A global subscriber that is there already stays, and with it the panic hook; so does what an earlier
/// call has done.
///
/// # OpenTelemetry
///
/// With the feature `otel`, and where `OTEL_EXPORTER_OTLP_ENDPOINT` is set, or the same for `TRACES` or
/// `METRICS` alone, spans from INFO on and metrics are exported by OTLP over HTTP with protobuf (see the
/// module `otel`), whatever `RUST_LOG` says. The other `OTEL_*` variables mean what they mean everywhere:
/// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, headers, timeouts and
/// intervals; `OTEL_SDK_DISABLED=true` and an `OTEL_TRACES_EXPORTER` or `OTEL_METRICS_EXPORTER` of `none`
/// switch it off. gRPC and compression are not supported. An endpoint may be `https` only where the
/// application itself depends on `reqwest` 0.13 with TLS, as with its default features: the exporter
/// uses that, and brings no TLS of its own. Where that `reqwest` has no TLS provider built in
/// (`rustls-no-provider`), the application installs one before `init()`, for a plain `http` endpoint as
/// well: without one nothing is exported.
///
/// Texts in spans are masked and cut as those of the log are. The providers become the global ones of
/// OpenTelemetry, so that instruments of your own are exported as well. An export that fails is logged
/// and harms nothing. When the guard is dropped what is left is exported, for which the thread waits for
/// 3 seconds at most, within an async runtime too.
///
/// ```
/// // At the beginning of `main`:
/// let _logging = resilient_runtime::init();
/// tracing::info!(event = "server.start", password = "hunter2");
/// // {"timestamp":"2026-11-21T17:03:05.123456Z","level":"INFO","event":"server.start","password":"***",..}
/// ```
#[must_use = "what is still to be written is when the guard is dropped"]
pub fn init() -> LogGuard {
    static IS_CALLED: AtomicBool = AtomicBool::new(false);
    // Nothing is started for a subscriber that would not be heard of.
    if IS_CALLED.swap(true, Ordering::Relaxed) || has_global() {
        return LogGuard::default();
    }
    // First of all: the exporter may panic while it is started.
    queue::start();
    panics::hook();
    let (filter, wrong) = filter::from_env();
    let wrong = wrong.into_iter();
    #[cfg(feature = "otel")]
    let (exporting, spans, wrong) = {
        let (exporting, spans, also_wrong) = crate::otel::start();
        (exporting, spans.map(crate::otel::layer), wrong.chain(also_wrong))
    };
    #[cfg(not(feature = "otel"))]
    let spans: Option<tracing_subscriber::layer::Identity> = None;
    // What is not logged may be exported all the same.
    match spans {
        Some(spans) => set(tracing_subscriber::registry().with(lines().with_filter(filter)).with(spans)),
        None => set(tracing_subscriber::registry().with(filter).with(lines())),
    }
    for wrong in wrong {
        tracing::warn!(event = "config.warning", "{wrong}");
    }
    LogGuard {
        #[cfg(feature = "otel")]
        exporting,
        ends: true,
    }
}

/// Whether there is a subscriber for all threads. Where any thread had one of its own, as tests have, only
/// a new thread can tell.
fn has_global() -> bool {
    let is_there = || tracing::dispatcher::get_default(|found| !found.is::<NoSubscriber>());
    let ask = || thread::Builder::new().spawn(is_there).ok()?.join().ok();
    tracing::dispatcher::has_been_set() && ask() == Some(true)
}

/// Without what makes `tracing` hear of the `log` crate's records: somebody else may do that already. Who
/// was faster meanwhile stays.
fn set(subscriber: impl Subscriber + Send + Sync) {
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The lines of the log.
fn lines<S: Subscriber + for<'span> LookupSpan<'span>>() -> impl Layer<S> {
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).log_internal_errors(false);
    lines.with_writer(Line::default)
}

/// Ends logging when it is dropped.
///
/// ```
/// let _logging = resilient_runtime::init(); // not `let _ = ..`, which drops it at once
/// tracing::info!("started");
/// ```
#[derive(Debug, Default)]
pub struct LogGuard {
    #[cfg(feature = "otel")]
    exporting: crate::otel::Exporting,
    ends: bool,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // What goes wrong with the last export is still logged.
        #[cfg(feature = "otel")]
        drop(std::mem::take(&mut self.exporting));
        if self.ends {
            queue::end();
        }
    }
}
