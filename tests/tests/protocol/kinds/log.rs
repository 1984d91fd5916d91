//! Records the log of a test's thread.

use resilient_tests::logs::{JsonLines, Listening, listen};
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

/// The events of this crate on this thread, in the format of a server's log.
pub(super) struct Log {
    lines: JsonLines,
    _guard: Listening,
}

impl Log {
    pub(super) fn keep() -> Self {
        let lines = JsonLines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_env_filter(EnvFilter::new("off,resilient_runtime=debug"))
            .with_writer(move || writer.clone());
        Self { lines, _guard: listen(subscriber.finish()) }
    }

    /// The lines about failures since the last call.
    pub(super) fn take(&self) -> Vec<Value> {
        // Every call has a start and an end. The other events are logged once per process, by the first test that
        // causes them.
        let is_about_none = |line: &Value| {
            let event = line["fields"]["event"].as_str();
            matches!(event, Some("tool.started" | "tool.ended" | "config.warning" | "breaker.transition"))
        };
        self.lines.take().into_iter().filter(|line| !is_about_none(line)).collect()
    }
}

/// Masks the parts that differ from run to run.
pub(super) fn masked(mut line: Value) -> Value {
    let members = line.as_object_mut().expect("an object");
    members.insert("timestamp".into(), json!("[timestamp]"));
    // `spans` repeats `span`.
    members.remove("spans");
    if let Some(span) = line.get_mut("span").and_then(Value::as_object_mut) {
        span.insert("jsonrpc.request.id".into(), json!("[request id]"));
    }
    line
}
