//! A panic as a line of the log, whatever is filtered, and without what may be private about it.

use std::panic::{self, PanicHookInfo};

use serde_json::json;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::queue;
use crate::context::CallContext;

/// Logs panics instead of letting them write their own words. It does not go through `tracing`: the
/// panic may come from there.
pub(super) fn hook() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let (payload, context) = (info.payload(), CallContext::current());
        let message = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        let told = json!({
            "timestamp": now(),
            "level": "ERROR",
            "event": "panic",
            "location": info.location().map(ToString::to_string),
            "message": message,
            "tool": context.as_ref().and_then(CallContext::tool),
            "correlation_id": context.as_ref().map(|context| context.correlation_id().to_string()),
        });
        queue::push(told.to_string().into_bytes());
    }));
}

fn now() -> String {
    let mut now = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut now));
    now
}
