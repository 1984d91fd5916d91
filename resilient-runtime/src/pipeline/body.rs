//! The user's function, attempt by attempt.
//!
//! This is all that is compiled anew for each function: what decides sees a `dyn Body`, what hands out the
//! answer a `dyn Keeps` of it, and both are there once.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::answer::{Answer, Meaning};
#[cfg(feature = "testing")]
use crate::error::ResilienceError;
use crate::redact;
use crate::telemetry;

/// What the state machine does with a function. All of it is the user's code, and may panic.
pub(crate) trait Body {
    /// Runs the attempt on. `begins`: it is a new attempt; the last one may use up the arguments. `None`:
    /// there is none.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, begins: Option<bool>) -> Poll<Option<Meaning>>;

    /// Drops the attempt.
    fn abandon(self: Pin<&mut Self>);

    /// Answers in the place of the attempt, which has not begun.
    #[cfg(feature = "testing")]
    fn fail(self: Pin<&mut Self>, error: ResilienceError) -> Option<Meaning>;
}

/// A body that keeps the answer of its last attempt.
pub(crate) trait Keeps<R>: Body {
    fn kept(self: Pin<&mut Self>) -> &mut Option<R>;
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
}

impl<M, F, R> Keeps<R> for Attempts<M, F, R>
where
    M: FnMut(bool) -> Option<F>,
    F: Future<Output = R>,
    R: Answer,
{
    fn kept(self: Pin<&mut Self>) -> &mut Option<R> {
        self.project().answer
    }
}

impl<M, F, R> Body for Attempts<M, F, R>
where
    M: FnMut(bool) -> Option<F>,
    F: Future<Output = R>,
    R: Answer,
{
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, begins: Option<bool>) -> Poll<Option<Meaning>> {
        let mut this = self.project();
        if let Some(last) = begins
            && this.running.is_none()
        {
            *this.answer = None;
            this.running.set((this.make)(last));
        }
        let Some(future) = this.running.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let Poll::Ready(answer) = future.poll(cx) else { return Poll::Pending };
        // First: what is kept is not dropped by a panic of what comes next.
        *this.answer = Some(answer);
        this.running.set(None);
        Poll::Ready(meaning(this.answer.as_ref(), *this.special))
    }

    fn abandon(self: Pin<&mut Self>) {
        self.project().running.set(None);
    }

    #[cfg(feature = "testing")]
    fn fail(self: Pin<&mut Self>, error: ResilienceError) -> Option<Meaning> {
        let mut this = self.project();
        this.running.set(None);
        *this.answer = Some(R::refused(error));
        meaning(this.answer.as_ref(), *this.special)
    }
}

fn meaning<R: Answer>(answer: Option<&R>, special: fn(&R) -> Option<Meaning>) -> Option<Meaning> {
    answer.map(|answer| special(answer).unwrap_or_else(|| answer.meaning()))
}

/// Runs a piece of the user's code. A panic is logged and told as `None`.
pub(crate) fn barrier<T>(run: impl FnOnce() -> T) -> Option<T> {
    let (mut run, mut ended) = (Some(run), None);
    catching(&mut || ended = run.take().map(|run| run()));
    ended
}

/// The part that is the same for all of them.
fn catching(run: &mut dyn FnMut()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        caught(payload);
    }
}

#[cold]
fn caught(payload: Box<dyn Any + Send>) {
    // Nor must the subscriber's mistakes come through, such as a log that cannot be written.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        telemetry::panicked(&redact::fit(panic_text(&*payload)));
    }));
    // The payload's own drop is the user's code as well.
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
