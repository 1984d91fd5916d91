//! The user's function, attempt by attempt, behind a panic barrier.
//!
//! This is the only generic part of a call: everything that decides sees a `dyn Body`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::answer::{Answer, Meaning};
use crate::redact;
use crate::telemetry;

/// What the state machine does with a function.
pub(crate) trait Body {
    /// Starts an attempt; `last` allows it to use up the arguments.
    fn begin(self: Pin<&mut Self>, last: bool);

    /// Runs the attempt on. `None` is a panic.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Meaning>>;

    /// Drops the attempt.
    fn abandon(self: Pin<&mut Self>);
}

pin_project! {
    /// Attempts made one by one, and the answer of the last that gave one.
    pub(crate) struct Attempts<M, F, R> {
        make: M,
        #[pin]
        running: Option<F>,
        answer: Option<R>,
        special: fn(&R) -> Option<Meaning>,
    }
}

impl<M, F, R> Attempts<M, F, R> {
    pub(crate) fn new(make: M, first: Option<F>, special: fn(&R) -> Option<Meaning>) -> Self {
        Self { make, running: first, answer: None, special }
    }

    /// The answer of the last attempt, if it gave one.
    pub(crate) fn take(self: Pin<&mut Self>) -> Option<R> {
        self.project().answer.take()
    }
}

impl<M, F, R> Body for Attempts<M, F, R>
where
    M: FnMut(bool) -> Option<F>,
    F: Future<Output = R>,
    R: Answer,
{
    fn begin(self: Pin<&mut Self>, last: bool) {
        let mut this = self.project();
        if this.running.is_none() {
            // Cloning an argument is the user's code. Without a future, polling tells of the panic.
            let made = barrier(|| {
                *this.answer = None;
                (this.make)(last)
            });
            if let Some(future) = made.flatten() {
                this.running.set(Some(future));
            }
        }
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Meaning>> {
        let mut this = self.project();
        let Some(future) = this.running.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        match barrier(|| future.poll(cx)) {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(answer)) => {
                let meaning = barrier(|| {
                    this.running.set(None);
                    (this.special)(&answer).unwrap_or_else(|| answer.meaning())
                });
                *this.answer = Some(answer);
                Poll::Ready(meaning)
            }
            None => {
                barrier(|| this.running.set(None));
                Poll::Ready(None)
            }
        }
    }

    fn abandon(self: Pin<&mut Self>) {
        let mut this = self.project();
        barrier(|| this.running.set(None));
    }
}

/// Runs a piece of the user's code. A panic is logged and told as `None`.
pub(crate) fn barrier<T>(run: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // Nor must the subscriber's mistakes come through, such as a log that cannot be written.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                telemetry::panicked(&redact::fit(panic_text(&*payload)));
            }));
            // The payload's own drop is the user's code as well.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            None
        }
    }
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
