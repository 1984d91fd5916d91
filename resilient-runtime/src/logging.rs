//! `init()`: JSON lines on stderr, masked, for servers that have no subscriber of their own.

use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tracing_subscriber::EnvFilter;

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
/// ```
/// // At the beginning of `main`:
/// let _logging = resilient_runtime::init();
/// tracing::info!(event = "server.start", password = "hunter2");
/// // {"timestamp":"2026-11-21T17:03:05.123456Z","level":"INFO","event":"server.start","password":"***",..}
/// ```
#[must_use = "logging ends when the guard is dropped"]
pub fn init() -> LogGuard {
    let (filter, wrong) = filter(std::env::var("RUST_LOG").ok(), std::env::var("LOG_LEVEL").ok());
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(|| Masked { to: io::stderr(), line: Vec::new() });
    if subscriber.try_init().is_ok() {
        hook_panics();
        if let Some(wrong) = wrong {
            tracing::warn!(event = "config.warning", "{wrong}");
        }
    }
    LogGuard(())
}

/// Ends logging when it is dropped.
#[derive(Debug)]
pub struct LogGuard(());

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
