//! The log of the tests: what this crate logs on a test's own thread.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

/// What this crate logs on this thread, as a server's log would hold it. There is one subscriber for
/// all tests of the process: one for each would let them race for what is enabled at all.
pub(super) struct Log;

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(super) fn keep() {
        static KEPT: Once = Once::new();
        KEPT.call_once(|| {
            tracing_subscriber::fmt()
                .json()
                .with_env_filter(EnvFilter::new("off,resilient_runtime=debug"))
                .with_writer(|| Self)
                .init();
        });
    }

    /// The lines about calls since it was asked last.
    pub(super) fn take() -> Vec<Value> {
        let bytes = LINES.take();
        let text = String::from_utf8(bytes).expect("text");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        // Every call begins and ends; the others are said once in the life of a process, whichever test
        // comes to it.
        let is_about_none = |line: &Value| {
            let event = line["fields"]["event"].as_str();
            matches!(event, Some("tool.started" | "tool.ended" | "config.warning" | "breaker.transition"))
        };
        lines.filter(|line| !is_about_none(line)).collect()
    }
}

/// What differs from run to run is masked.
pub(super) fn masked(mut line: Value) -> Value {
    let members = line.as_object_mut().expect("an object");
    members.insert("timestamp".into(), json!("[timestamp]"));
    // The same as `span`, once more.
    members.remove("spans");
    if let Some(span) = line.get_mut("span").and_then(Value::as_object_mut) {
        span.insert("jsonrpc.request.id".into(), json!("[request id]"));
    }
    line
}
