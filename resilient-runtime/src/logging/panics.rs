//! A panic as a line of the log, whatever is filtered, and without what may be private about it.

use std::panic::{self, PanicHookInfo};

use super::{line, queue};
use crate::context::CallContext;

/// Logs panics instead of letting them write their own words. It does not go through `tracing`: the
/// panic may come from there.
pub(super) fn hook() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let (payload, context) = (info.payload(), CallContext::current());
        let message = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        // Where a line could not be written, what the panic says of it may be no better.
        let message = message.filter(|_| !queue::is_writer());
        queue::push_now(line::told(
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
