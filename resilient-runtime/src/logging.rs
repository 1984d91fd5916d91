//! `init()`: JSON lines on stderr, masked, for servers that have no subscriber of their own; with the
//! feature `otel` spans and metrics by OTLP as well.

use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::redact;

/// Without `RUST_LOG` and `LOG_LEVEL`. At `info`, rmcp logs every notification.
const DEFAULT: &str = "info,rmcp=warn";

/// Starts logging: JSON lines on stderr, as stdout belongs to MCP, with times in RFC 3339 and UTC.
///
/// What is logged is said by `RUST_LOG`, in the form of [`EnvFilter`]; `LOG_LEVEL` is another name for
/// it. Without either it is everything from INFO on, and of rmcp from WARN on.
///
/// Before a line is written, whatever stands under the name of a secret or looks like one is masked,
/// and each text is cut at 1,000 characters. A panic is logged as one line as well: where it was, and
/// its message, masked.
///
/// A subscriber that is there already stays, and the panic hook too; so does what an earlier call has
/// done. Keep the guard until the end of `main`: what is still to be written is written when it is
/// dropped.
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
/// uses that, and brings no TLS of its own.
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
#[must_use = "logging ends when the guard is dropped"]
pub fn init() -> LogGuard {
    // Nothing is started for a subscriber that would not be heard of.
    if tracing::dispatcher::has_been_set() {
        return LogGuard::default();
    }
    let (filter, wrong) = filter(std::env::var("RUST_LOG").ok(), std::env::var("LOG_LEVEL").ok());
    let mut wrong = Vec::from_iter(wrong);
    #[cfg(feature = "otel")]
    let (guard, is_set) = {
        let (exporting, spans, also_wrong) = crate::otel::start();
        wrong.extend(also_wrong);
        let is_set = match spans {
            Some(spans) => tracing_subscriber::registry()
                .with(lines().with_filter(filter))
                .with(crate::otel::layer(spans))
                .try_init(),
            None => tracing_subscriber::registry().with(filter).with(lines()).try_init(),
        };
        (LogGuard { _exporting: exporting }, is_set)
    };
    #[cfg(not(feature = "otel"))]
    let (guard, is_set) = (LogGuard::default(), tracing_subscriber::registry().with(filter).with(lines()).try_init());
    if is_set.is_ok() {
        hook_panics();
        for wrong in wrong.drain(..) {
            tracing::warn!(event = "config.warning", "{wrong}");
        }
    }
    guard
}

/// The lines of the log.
fn lines<S: Subscriber + for<'span> LookupSpan<'span>>() -> impl Layer<S> {
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(|| Masked { to: io::stderr(), line: Vec::new() })
}

/// Ends logging when it is dropped.
#[derive(Debug, Default)]
pub struct LogGuard {
    #[cfg(feature = "otel")]
    _exporting: crate::otel::Exporting,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let _ = io::stderr().flush();
    }
}

/// What is logged, and what is wrong with what was asked for.
fn filter(rust_log: Option<String>, log_level: Option<String>) -> (EnvFilter, Option<String>) {
    let asked = [("RUST_LOG", rust_log), ("LOG_LEVEL", log_level)];
    let asked =
        asked.into_iter().find_map(|(name, value)| Some((name, value.filter(|value| !value.trim().is_empty())?)));
    let Some((name, value)) = asked else { return (EnvFilter::new(DEFAULT), None) };
    match EnvFilter::builder().parse(value.trim()) {
        Ok(filter) => (filter, None),
        Err(why) => (EnvFilter::new(DEFAULT), Some(format!("`{name}` is not understood: {why}; `{DEFAULT}` holds"))),
    }
}

/// Logs panics instead of letting them write their own words, which may hold anything.
fn hook_panics() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        // A panic while one is logged says nothing more.
        static LOGGING: AtomicBool = AtomicBool::new(false);
        if LOGGING.swap(true, Ordering::Acquire) {
            return;
        }
        let location = info.location().map(ToString::to_string);
        let payload = info.payload();
        let message = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        let message = message.map(redact::fit);
        tracing::error!(event = "panic", location, message);
        LOGGING.store(false, Ordering::Release);
    }));
}

/// Masks each line before it is written.
struct Masked<W: Write> {
    to: W,
    line: Vec<u8>,
}

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let masked = masked(&std::mem::take(&mut self.line));
                // All at once, so that lines of other threads do not come between.
                self.to.write_all(masked.as_bytes())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Drop for Masked<W> {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            let _ = self.to.write_all(masked(&self.line).as_bytes());
        }
    }
}

fn masked(line: &[u8]) -> String {
    let mut masked = match serde_json::from_slice::<Value>(line) {
        Ok(value) => redact::line(value).to_string(),
        Err(_) => redact::fit(String::from_utf8_lossy(line).trim_end()),
    };
    masked.push('\n');
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_masked_whole_however_they_come() {
        let mut written = Vec::new();
        let mut masked = Masked { to: &mut written, line: Vec::new() };
        let line = "{\"message\":\"Bearer abcdefghijklmnop\",\"token\":\"x\",\"n\":7}\nnot JSON, password=hunter2\n";
        for piece in line.as_bytes().chunks(5) {
            masked.write_all(piece).expect("written");
        }
        drop(masked);
        let text = String::from_utf8(written).expect("text");
        let expected = "{\"message\":\"Bearer ***\",\"n\":7,\"token\":\"***\"}\nnot JSON, password=***\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_filter_that_is_not_understood_is_told_and_replaced() {
        let (_, wrong) = filter(Some("info,x=verylow".into()), None);
        assert!(wrong.is_some_and(|wrong| wrong.starts_with("`RUST_LOG` is not understood")));
        let (alias, wrong) = filter(Some(" ".into()), Some("debug".into()));
        assert_eq!((alias.to_string().as_str(), wrong), ("debug", None));
        assert_eq!(filter(None, None).0.to_string(), EnvFilter::new(DEFAULT).to_string());
    }
}
