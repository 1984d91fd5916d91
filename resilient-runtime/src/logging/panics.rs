//! The panic hook: logs a panic as one masked line, regardless of the filter.

use std::panic::{self, PanicHookInfo};

use super::{line, queue};
use crate::context::CallContext;

/// Replaces the panic hook with one that logs the panic. The hook does not use `tracing`, because the panic may come
/// from there.
pub(super) fn hook() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let (payload, context) = (info.payload(), CallContext::current());
        let message = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        // If the writer thread panicked over a line, its message may contain the line that could not be masked.
        let message = message.filter(|_| !queue::is_writer());
        queue::push_now(line::build(
            "ERROR",
            "panic",
            [
                ("location", info.location().map(ToString::to_string).into()),
                ("message", message.into()),
                ("tool", context.as_ref().and_then(CallContext::tool).into()),
            ],
        ));
    }));
}
