//! Subscribers that record the log for a test.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Installs a subscriber for the current thread, until the guard is dropped.
///
/// tracing caches for each callsite whether a subscriber is interested. While there is a single subscriber in the
/// process, tracing queries the subscriber of the thread that reaches the callsite first, which may be a test without a
/// subscriber. With a second subscriber, tracing queries all of them.
pub fn listen(subscriber: impl Into<Dispatch> + Subscriber + Send + Sync + 'static) -> Listening {
    // It wants nothing, so that calls take the short path again in the tests that run later.
    static SECOND: LazyLock<Dispatch> =
        LazyLock::new(|| Dispatch::new(tracing_subscriber::registry().with(LevelFilter::OFF)));
    LazyLock::force(&SECOND);
    Listening { installed: Some(tracing::subscriber::set_default(subscriber)) }
}

/// A subscriber is installed for the current thread until this is dropped.
#[derive(Debug)]
#[must_use = "the subscriber is removed when this is dropped"]
pub struct Listening {
    installed: Option<DefaultGuard>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.installed.take());
        // tracing lowers the level of the process only then.
        tracing::callsite::rebuild_interest_cache();
    }
}

/// A log in JSON: a writer for `tracing_subscriber::fmt`.
#[derive(Debug, Clone, Default)]
pub struct JsonLines(Arc<Mutex<Vec<u8>>>);

impl JsonLines {
    /// The lines since the last call.
    ///
    /// # Panics
    /// If a line is not JSON.
    #[must_use]
    pub fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let text = String::from_utf8(bytes).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl io::Write for JsonLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A layer that records each event as a line: its level, then its fields as `name=value`.
#[derive(Debug, Clone, Default)]
pub struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    /// The events so far.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, "{}={value:?} ", field.name());
            }
        }
        let mut line = Line(event.metadata().level().to_string() + " ");
        event.record(&mut line);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }
}
