//! The user's function, attempt by attempt.
//!
//! This part of a call is compiled for each function. The state machine uses it as `dyn Body`, and the code that returns
//! the answer as `dyn StoresAnswer`, so that both are compiled less often.

#[cfg(feature = "testing")]
use std::any::Any;
use std::mem::forget;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Special;
use crate::answer::{Answer, Meaning};
use crate::error::ResilienceError;

/// A function as the state machine uses it. Every method runs the user's code, and may panic.
pub(crate) trait Body {
    /// Polls the attempt. `begins`: it is a new attempt, and whether it is the last one, which may move the arguments.
    /// `meaning` is set to that of an answer that is not good.
    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        begins: Option<bool>,
        meaning: &mut Option<Meaning>,
    ) -> Poll<Ended>;

    /// Polls the function that runs before a retry, if there is one. `refused` is why the last attempt has no answer, if
    /// it has none. If the function fails, its error is the answer, and `meaning` is set to that of the error.
    fn poll_before(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _refused: Option<&ResilienceError>,
        _meaning: &mut Option<Meaning>,
    ) -> Poll<()> {
        Poll::Ready(())
    }

    /// Drops the attempt, or the function that runs before it.
    fn abandon(self: Pin<&mut Self>);

    /// Sets the answer of the attempt, which has not begun, to an injected one, and its meaning as [`poll`](Self::poll)
    /// does.
    ///
    /// # Errors
    /// The function's type has no such answer.
    #[cfg(feature = "testing")]
    fn fail(self: Pin<&mut Self>, fault: Substitute, meaning: &mut Option<Meaning>) -> Result<Ended, NoSuchAnswer>;
}

/// How an attempt ended. A number, since nearly every attempt ends well: its meaning is more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It has a good answer.
    Good,
    /// It has another answer.
    Otherwise,
    /// There was no attempt.
    Nothing,
}

/// The type of the function has no such answer.
#[cfg(feature = "testing")]
pub(crate) struct NoSuchAnswer;

/// The answer that a test injects.
#[cfg(feature = "testing")]
pub(crate) enum Substitute {
    Error(ResilienceError),
    /// An error of the function's own type.
    OwnError(Box<dyn Any>),
    /// Creates a result in which the tool itself reports a failure.
    IsError(String),
}

/// A body that stores the answer of its last attempt.
pub(crate) trait StoresAnswer<R>: Body {
    fn last_answer(self: Pin<&mut Self>) -> &mut Option<R>;
}

pin_project! {
    /// The running attempt, and the answer of the last attempt that returned one.
    pub(crate) struct Attempts<M, F, R> {
        make: M,
        #[pin]
        running: Option<F>,
        last: LastAnswer<R>,
    }
}

/// The answer of the last attempt that returned one. Its methods are compiled once for each type of answer.
struct LastAnswer<R> {
    answer: Option<R>,
    special: Special<R>,
}

impl<M, F, R> Attempts<M, F, R> {
    pub(crate) fn new(make: M, first: Option<F>, special: Special<R>) -> Self {
        Self { make, running: first, last: LastAnswer { answer: None, special } }
    }
}

impl<M, F, R> StoresAnswer<R> for Attempts<M, F, R>
where
    M: FnMut(bool) -> Option<F>,
    F: Future<Output = R>,
    R: Answer,
{
    fn last_answer(self: Pin<&mut Self>) -> &mut Option<R> {
        &mut self.project().last.answer
    }
}

impl<M, F, R> Body for Attempts<M, F, R>
where
    M: FnMut(bool) -> Option<F>,
    F: Future<Output = R>,
    R: Answer,
{
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        begins: Option<bool>,
        meaning: &mut Option<Meaning>,
    ) -> Poll<Ended> {
        let mut this = self.as_mut().project();
        if let Some(last) = begins
            && this.running.is_none()
        {
            this.last.clear();
            put(this.running.as_mut(), (this.make)(last));
        }
        let Some(future) = this.running.as_pin_mut() else { return Poll::Ready(Ended::Nothing) };
        // The answer is stored before the attempt is dropped, which may panic.
        match future.poll(cx) {
            Poll::Ready(answer) => this.last.store(answer),
            Poll::Pending => return Poll::Pending,
        }
        self.as_mut().abandon();
        Poll::Ready(self.project().last.ended(meaning))
    }

    fn abandon(self: Pin<&mut Self>) {
        put(self.project().running, None);
    }

    #[cfg(feature = "testing")]
    fn fail(mut self: Pin<&mut Self>, fault: Substitute, meaning: &mut Option<Meaning>) -> Result<Ended, NoSuchAnswer> {
        self.as_mut().abandon();
        let last = self.project().last;
        last.clear();
        let answer = match fault {
            Substitute::Error(error) => R::refused(error),
            Substitute::OwnError(error) => R::__injected(error).ok_or(NoSuchAnswer)?,
            Substitute::IsError(text) => (last.special.own_error)(&text).ok_or(NoSuchAnswer)?,
        };
        last.store(answer);
        Ok(last.ended(meaning))
    }
}

/// Replaces the attempt. Compiled once for each function, since dropping an attempt may take much code.
fn put<F>(mut running: Pin<&mut Option<F>>, next: Option<F>) {
    running.set(next);
}

impl<R: Answer> LastAnswer<R> {
    #[inline]
    fn clear(&mut self) {
        if self.answer.is_some() {
            self.answer = None;
        }
    }

    /// Stores the answer of an attempt, before which the last one was cleared. It is moved once: moving what was just
    /// written stalls the processor.
    #[inline]
    fn store(&mut self, answer: R) {
        debug_assert!(self.answer.is_none(), "a new attempt clears the answer of the last one");
        forget(self.answer.replace(answer));
    }

    /// Sets the meaning of an answer that is not good.
    #[inline]
    fn ended(&self, meaning: &mut Option<Meaning>) -> Ended {
        let Some(answer) = &self.answer else { return Ended::Nothing };
        if self.special.read.is_none() && answer.__is_good() {
            return Ended::Good;
        }
        self.ended_with(answer, meaning)
    }

    #[inline(never)]
    fn ended_with(&self, answer: &R, meaning: &mut Option<Meaning>) -> Ended {
        match self.special.read(answer).unwrap_or_else(|| answer.meaning()) {
            Meaning::Good => Ended::Good,
            other => {
                *meaning = Some(other);
                Ended::Otherwise
            }
        }
    }
}
