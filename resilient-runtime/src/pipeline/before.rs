//! `retry(.., before = path)`: the user's function that runs before each retry, such as one that renews a token.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::body::{Body, Ended, StoresAnswer};
#[cfg(feature = "testing")]
use super::body::{NoSuchAnswer, Substitute};
use crate::answer::{Failed, Fallible, Meaning};
use crate::error::{Failure, ResilienceError};

pin_project! {
    /// Attempts, and the function that runs before each of them except the first.
    pub(super) struct Renewed<A, B, P, R>
    where
        R: Fallible,
    {
        #[pin]
        attempts: A,
        before: B,
        running: Option<Running<P, R::Error>>,
    }
}

/// A running function, with the error of the last attempt, which it borrows.
struct Running<P, E> {
    /// Boxed: few calls run it, but without the box every call would be large enough for it.
    function: Pin<Box<P>>,
    error: Arc<E>,
}

impl<A, B, P, R: Fallible> Renewed<A, B, P, R> {
    pub(super) const fn new(attempts: A, before: B) -> Self {
        Self { attempts, before, running: None }
    }
}

impl<P, E> Running<P, E> {
    /// Drops the function, and returns the error that it has borrowed.
    fn end(self) -> Option<E> {
        let Self { function, error } = self;
        drop(function);
        Arc::into_inner(error)
    }
}

impl<R, A, B, P> Body for Renewed<A, B, P, R>
where
    R: Fallible,
    A: StoresAnswer<R>,
    B: FnMut(Arc<R::Error>) -> P,
    P: Future<Output = Result<(), R::Error>>,
{
    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        begins: Option<bool>,
        meaning: &mut Option<Meaning>,
    ) -> Poll<Ended> {
        self.project().attempts.poll(cx, begins, meaning)
    }

    fn poll_before(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        refused: Option<&ResilienceError>,
        meaning: &mut Option<Meaning>,
    ) -> Poll<()> {
        let this = self.project();
        let last = this.attempts.last_answer();
        if this.running.is_none() {
            let Some(error) = take_error(last, refused).map(Arc::new) else { return Poll::Ready(()) };
            let function = Box::pin((this.before)(Arc::clone(&error)));
            *this.running = Some(Running { function, error });
        }
        let Some(running) = this.running else { return Poll::Ready(()) };
        let ended = ready!(running.function.as_mut().poll(cx));
        let before = this.running.take().and_then(Running::end);
        let error = match ended {
            // The answer of the call, if its next attempt is rejected.
            Ok(()) => before,
            Err(error) => {
                *meaning = Some(Meaning::Failed(Failed(Failure::of(&error))));
                Some(error)
            }
        };
        *last = error.map(|error| R::close(Err(error)));
        Poll::Ready(())
    }

    fn abandon(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Some(running) = this.running.take() {
            *this.attempts.as_mut().last_answer() = running.end().map(|error| R::close(Err(error)));
        }
        this.attempts.abandon();
    }

    #[cfg(feature = "testing")]
    fn fail(self: Pin<&mut Self>, fault: Substitute, meaning: &mut Option<Meaning>) -> Result<Ended, NoSuchAnswer> {
        self.project().attempts.fail(fault, meaning)
    }
}

impl<R, A, B, P> StoresAnswer<R> for Renewed<A, B, P, R>
where
    R: Fallible,
    A: StoresAnswer<R>,
    B: FnMut(Arc<R::Error>) -> P,
    P: Future<Output = Result<(), R::Error>>,
{
    fn last_answer(self: Pin<&mut Self>) -> &mut Option<R> {
        self.project().attempts.last_answer()
    }
}

/// Takes the error of the last attempt. A value that is `Ok`, although `classify` calls it a failure, has none.
fn take_error<R: Fallible>(last: &mut Option<R>, refused: Option<&ResilienceError>) -> Option<R::Error> {
    if let Some(refused) = refused {
        return R::refused(refused.clone()).open().err();
    }
    match last.take()?.open() {
        Ok(good) => {
            *last = Some(R::close(Ok(good)));
            None
        }
        Err(error) => Some(error),
    }
}
