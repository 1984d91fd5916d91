//! `init()`: masked JSON lines on stderr for servers without their own subscriber; with the feature `otel` also spans
//! and metrics over OTLP.

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

/// Starts logging: JSON lines on stderr, because stdout belongs to MCP, with timestamps in RFC 3339 and UTC.
///
/// `RUST_LOG` selects what is logged, in the syntax of [`EnvFilter`](tracing_subscriber::EnvFilter); `LOG_LEVEL` is an
/// alternative name. If neither is set, the log contains everything from INFO on, and from rmcp everything from WARN
/// on.
///
/// Before a line is written, values under a secret's name and texts that look like a secret are masked, and each text
/// is cut at 1,000 characters. A panic is logged as one line too, regardless of the filter, with its location and its
/// masked message; this replaces the previous panic hook.
///
/// Each line of a call contains its `correlation_id`, even if the filter disables the call's span.
///
/// A separate thread writes the lines. If stderr is not read, up to 8,192 lines or 8 MiB are queued; further lines are
/// dropped, and the number of dropped lines is logged. Only a panic waits until its line is written, for at most 100
/// ms, because the process may be about to exit. Keep the guard until the end of `main`: dropping it writes the queued
/// lines, for at most one second. Later lines are written synchronously.
///
/// If a global subscriber is already installed, `init` changes neither it nor the panic hook. A second call has no
/// effect.
///
/// # OpenTelemetry
///
/// With the feature `otel`, and if `OTEL_EXPORTER_OTLP_ENDPOINT` or its variant for `TRACES` or `METRICS` is set, spans
/// from INFO on and metrics are exported by OTLP over HTTP with protobuf (see the module `otel`), regardless of
/// `RUST_LOG`. The other `OTEL_*` variables have their standard meaning: `OTEL_SERVICE_NAME`,
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, headers, timeouts and intervals. `OTEL_SDK_DISABLED=true`, or
/// `none` as `OTEL_TRACES_EXPORTER` or `OTEL_METRICS_EXPORTER`, disables the export. gRPC and compression are not
/// supported. An `https` endpoint requires that your application depends on `reqwest` 0.13 with TLS, as with its
/// default features: the exporter uses that dependency and adds no TLS itself. If that `reqwest` is built without a TLS
/// provider (`rustls-no-provider`), install one before `init()`, even for a plain `http` endpoint; otherwise nothing is
/// exported.
///
/// Texts in spans are masked and cut like those in the log. The providers become OpenTelemetry's global providers, so
/// your own instruments are exported as well. A failed export is logged and has no other effect. Dropping the guard
/// exports the remaining data; the thread waits for this for at most 3 seconds, even within an async runtime.
///
/// ```
/// // At the beginning of `main`:
/// let _logging = resilient_runtime::logging::init();
/// tracing::info!(event = "server.start", password = "hunter2");
/// // {"timestamp":"2026-11-21T17:03:05.123456Z","level":"INFO","event":"server.start","password":"***",..}
/// ```
#[must_use = "what is still to be written is when the guard is dropped"]
pub fn init() -> LogGuard {
    static IS_CALLED: AtomicBool = AtomicBool::new(false);
    // Do not start threads for a subscriber that cannot be installed.
    if IS_CALLED.swap(true, Ordering::Relaxed) || has_global() {
        return LogGuard::default();
    }
    // The panic hook must be in place first: starting the exporter may panic.
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
    // The log filter must not apply to exported spans.
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

/// Returns whether a global subscriber is installed. A thread-local subscriber hides it, so a new thread checks.
fn has_global() -> bool {
    let is_installed = || tracing::dispatcher::get_default(|found| !found.is::<NoSubscriber>());
    let check = || thread::Builder::new().spawn(is_installed).ok()?.join().ok();
    tracing::dispatcher::has_been_set() && check() == Some(true)
}

/// Installs the subscriber unless another one was installed meanwhile. Does not install the bridge for the `log` crate,
/// because the application may do so.
fn set(subscriber: impl Subscriber + Send + Sync) {
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Returns the layer that writes the log lines.
fn lines<S: Subscriber + for<'span> LookupSpan<'span>>() -> impl Layer<S> {
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).log_internal_errors(false);
    lines.with_writer(Line::default)
}

/// Ends logging when dropped.
///
/// ```
/// let _logging = resilient_runtime::logging::init(); // not `let _ = ..`, which drops it at once
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
        // Dropped first, so that errors of the last export are still logged.
        #[cfg(feature = "otel")]
        drop(std::mem::take(&mut self.exporting));
        if self.ends {
            queue::end();
        }
    }
}
