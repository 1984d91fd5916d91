//! The panic barrier around the user's code.

#[cfg(any(feature = "deferred", feature = "replicas"))]
mod within;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::context::{self, CallContext};
use crate::redact;

#[cfg(any(feature = "deferred", feature = "replicas"))]
pub(crate) use within::answer_within;

/// Runs a piece of user code. Logs a panic and returns `None`.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Option<T> {
    let (mut run, mut ended) = (Some(run), None);
    catching(&mut || ended = run.take().map(|run| run()));
    ended
}

/// The part that does not depend on the type, so that it is compiled once.
fn catching(run: &mut dyn FnMut()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        caught(payload);
    }
}

/// Runs a piece of user code like [`catch_panic`], compiled into its caller: for what every call passes.
#[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 instructions more")]
#[inline(always)]
pub(crate) fn catch_panic_inline<T>(run: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(ended) => Some(ended),
        Err(payload) => {
            caught(payload);
            None
        }
    }
}

#[cold]
fn caught(payload: Box<dyn Any + Send>) {
    // The subscriber may panic too, for example if it cannot write to the log.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        panicked(&redact::fit(panic_text(&*payload)));
    }));
    // Dropping the payload runs user code too.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(no text)"
    }
}

/// Logs a panic in user code that was caught.
fn panicked(panic: &str) {
    let context = CallContext::current();
    let correlation_id = context::id(context.as_ref());
    tracing::error!(event = "tool.panic", correlation_id, panic, "a panic was caught");
}
