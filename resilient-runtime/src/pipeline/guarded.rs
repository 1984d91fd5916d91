//! A call without fallbacks, as a future.
//!
//! Written by hand: an `async fn` would be compiled for each guarded function, this is compiled for each type of
//! answer. Nothing happens before the first poll.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::Special;
use super::body::{Attempts, StoresAnswer};
use super::call::{AttemptProgress, AttemptResult, Call, CallCell, FirstAttemptPoll, events};
use crate::answer::{Answer, Meaning};
use crate::context;
use crate::error::ResilienceError;
use crate::outcomes::Outcome;

pin_project! {
    pub(super) struct Guarded<'c, 'a, M, F, R> {
        call: Pin<&'c mut CallCell<'a>>,
        #[pin]
        attempts: Attempts<M, F, R>,
    }
}

impl<'c, 'a, M, F, R> Guarded<'c, 'a, M, F, R> {
    pub(super) fn new(call: Pin<&'c mut CallCell<'a>>, make: M, first: Option<F>, special: Special<R>) -> Self {
        Self { call, attempts: Attempts::new(make, first, special) }
    }
}

impl<M, F, R> Future for Guarded<'_, '_, M, F, R>
where
    M: FnMut(bool) -> Option<F>,
    F: Future<Output = R>,
    R: Answer,
{
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.project();
        poll(this.call.as_mut(), cx, this.attempts)
    }
}

/// Polls a call until its answer.
fn poll<R: Answer>(
    mut call: Pin<&mut CallCell<'_>>,
    cx: &mut Context<'_>,
    mut body: Pin<&mut dyn StoresAnswer<R>>,
) -> Poll<R> {
    let polled = if let Some(entry) = call.as_mut().take_entry() {
        match call.as_mut().first_poll(entry, cx, body.as_mut()) {
            // Nearly every call.
            Ok(FirstAttemptPoll::Good) => return Poll::Ready(good_answer(body)),
            Ok(polled) => polled,
            Err((call, error)) => {
                let answer = R::refused(error);
                call.end(answer.error());
                return Poll::Ready(answer);
            }
        }
    } else if let Some(call) = call.as_mut().begun() {
        call.poll_first_attempt(cx, body.as_mut())
    } else {
        FirstAttemptPoll::GoesOn(None)
    };
    match polled {
        FirstAttemptPoll::Good => Poll::Ready(good_answer(body)),
        FirstAttemptPoll::Pending => Poll::Pending,
        FirstAttemptPoll::GoesOn(progress) => match call.begun() {
            Some(call) => poll_begun(call, cx, body, progress),
            // The call is polled although it has ended.
            None => Poll::Ready(R::refused(ResilienceError::Panicked)),
        },
    }
}

/// Takes a good answer, which is always stored.
#[expect(clippy::inline_always, reason = "part of every call, and a few instructions in the usual case")]
#[inline(always)]
fn good_answer<R: Answer>(body: Pin<&mut dyn StoresAnswer<R>>) -> R {
    body.last_answer().take().unwrap_or_else(|| R::refused(ResilienceError::Panicked))
}

/// Polls the state machine of a call.
#[inline(never)]
fn poll_begun<R: Answer>(
    mut call: Pin<&mut Call<'_>>,
    cx: &mut Context<'_>,
    mut body: Pin<&mut dyn StoresAnswer<R>>,
    progress: Option<AttemptProgress>,
) -> Poll<R> {
    let result = ready!(call.as_mut().drive(cx, body.as_mut(), progress));
    let mut context = call.passed_context();
    let _context = context.is_some().then(|| context::enter(&mut context));
    let last = body.last_answer();
    // Read in place, where nearly every answer is, and moved once.
    if let (AttemptResult::Answered(_), Some(last)) = (&result, last.as_ref()) {
        finish(call.as_mut(), &result, last);
    }
    let answer = answer(&call, last, &result);
    if !call.is_done() {
        finish(call, &result, &answer);
    }
    Poll::Ready(answer)
}

/// Returns the answer of a call whose attempts have ended. If the result rejects the answer, it stays in `kept`.
#[expect(clippy::inline_always, reason = "part of every call, and a few instructions in the usual case")]
#[inline(always)]
pub(super) fn answer<R: Answer>(call: &Call<'_>, last: &mut Option<R>, result: &AttemptResult) -> R {
    let refused = |error: ResilienceError| {
        // The conversion into the function's error may read the report.
        call.report(result.outcome(), None);
        R::refused(error)
    };
    match result {
        AttemptResult::Refused(error) => refused(error.clone()),
        // The answer is missing only after a panic.
        AttemptResult::Answered(_) => last.take().unwrap_or_else(|| refused(ResilienceError::Panicked)),
    }
}

#[inline]
pub(super) fn finish<R: Answer>(call: Pin<&mut Call<'_>>, result: &AttemptResult, answer: &R) {
    // Nearly every call ends like this.
    if matches!(result, AttemptResult::Answered(Meaning::Good)) {
        return call.end(Outcome::Ok, None);
    }
    // A cancellation is not logged as an error; it has its own event.
    match answer.error() {
        Some(_) if result.outcome() == Outcome::Cancelled => {}
        Some(error) => events::call_failed(&call, error),
        None => events::answer_failed(&call, result),
    }
    call.finish(result);
}
