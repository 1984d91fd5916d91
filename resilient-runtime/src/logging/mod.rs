//! `init()`: JSON lines on stderr, masked, for servers that have no subscriber of their own.

mod filter;
mod line;
mod panics;
mod queue;

use tracing_subscriber::layer::SubscriberExt as _;

use line::Line;

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
/// Lines are written by a thread of their own. Where nobody reads stderr, up to 8,192 of them wait; what
/// comes then is lost, and how many lines that were is logged. Keep the guard until the end of `main`:
/// when it is dropped, what is still to be written is, for a second at most. Later lines are written at
/// once.
///
/// A subscriber that is there already stays, and with it the panic hook; so does what an earlier call
/// has done.
///
/// ```
/// // At the beginning of `main`:
/// let _logging = resilient_runtime::init();
/// tracing::info!(event = "server.start", password = "hunter2");
/// // {"timestamp":"2026-11-21T17:03:05.123456Z","level":"INFO","event":"server.start","password":"***",..}
/// ```
#[must_use = "what is still to be written is when the guard is dropped"]
pub fn init() -> LogGuard {
    let (filter, wrong) = filter::from_env();
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).log_internal_errors(false);
    let subscriber = tracing_subscriber::registry().with(filter).with(lines.with_writer(Line::default));
    if tracing::dispatcher::has_been_set() || tracing::subscriber::set_global_default(subscriber).is_err() {
        return LogGuard { ends: false };
    }
    queue::start();
    panics::hook();
    if let Some(wrong) = wrong {
        tracing::warn!(event = "config.warning", "{wrong}");
    }
    LogGuard { ends: true }
}

/// Ends logging when it is dropped.
#[derive(Debug)]
pub struct LogGuard {
    ends: bool,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        if self.ends {
            queue::end();
        }
    }
}
