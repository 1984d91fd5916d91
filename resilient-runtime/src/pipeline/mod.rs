//! The one order in which everything happens to a call, outermost first:
//!
//! ```text
//! hook: context, statistics, outer panic barrier
//!   → cancellation → fallback → rate limit → timeout → retry → breaker → bulkhead → attempt timeout
//!   → panic barrier → body
//! ```
//!
//! - The **rate limit** counts calls, not attempts: it is asked once, before anything else, and
//!   never waits.
//! - The **timeout** covers queueing, all attempts and the delays between them. Nothing sleeps past
//!   it.
//! - Each **attempt** asks the breaker anew, is recorded by it on its own, and runs no longer than
//!   its own limit or what is left of the timeout. No timer is armed for a body that is ready at
//!   its first poll.
//! - Each attempt takes a slot of the **bulkhead**, after the breaker has let it through, so that
//!   nobody queues for what would not be asked. Queueing counts for the timeout, but neither for
//!   the attempt's own limit nor for the lease of a probe. A retry queues again, behind the others:
//!   no slot is held in a delay. Whoever gets none says nothing about the dependency.
//! - A **panic** is caught around the attempt; it is not retried and says nothing about the
//!   dependency.
//! - **Cancellation**, by the client or by dropping the future, drops the attempt, ends a delay,
//!   gives every permit back and is an outcome of its own: no retry, no fallback.
//! - A **fallback** sees the final error, and runs outside breaker and timeout with a limit of its
//!   own.

mod answer;
mod body;
mod call;
mod fallback;
mod turn;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

pub use answer::{Answer, Fallible, FromResilience, Meaning};
#[cfg(feature = "cache")]
pub(crate) use fallback::Chance;
pub use fallback::{End, Function, Limit, Step, Then, Value};

pub(crate) use body::barrier;
pub(crate) use call::{Call, Verdict};

use crate::context;
use crate::error::ResilienceError;
use crate::site::Entry;
use crate::statistics::Outcome;
use crate::telemetry;
use body::{Attempts, Keeps};

/// Reads an answer of a kind that its type alone does not tell; see `#[tool]`'s own results.
pub(crate) type Special<R> = fn(&R) -> Option<Meaning>;

/// Guards a function that runs once.
pub async fn once<R: Answer>(entry: Entry<'_>, body: impl Future<Output = R>, special: Special<R>) -> R {
    let mut call = pin!(Call::new(entry.site));
    call.as_mut().begin_call(entry);
    let mut attempts = pin!(Attempts::new(|_| None, Some(body), special));
    poll_fn(|cx| poll(call.as_mut(), cx, attempts.as_mut())).await
}

/// Guards a function that may run again: `make` gives an attempt, and may use up the arguments
/// for the last one.
pub async fn repeat<R, F>(entry: Entry<'_>, make: impl FnMut(bool) -> Option<F>, special: Special<R>) -> R
where
    R: Answer,
    F: Future<Output = R>,
{
    let mut call = pin!(Call::new(entry.site));
    call.as_mut().begin_call(entry);
    let mut attempts = pin!(Attempts::new(make, None, special));
    poll_fn(|cx| poll(call.as_mut(), cx, attempts.as_mut())).await
}

/// As [`once`], with a chain of fallbacks.
pub async fn once_or<R: Fallible>(
    entry: Entry<'_>,
    body: impl Future<Output = R>,
    special: Special<R>,
    chain: impl Step<R>,
) -> R {
    let mut call = pin!(Call::new(entry.site));
    call.as_mut().begin_call(entry);
    let attempts = pin!(Attempts::new(|_| None, Some(body), special));
    or(call, attempts, chain).await
}

/// As [`repeat`], with a chain of fallbacks.
pub async fn repeat_or<R, F>(
    entry: Entry<'_>,
    make: impl FnMut(bool) -> Option<F>,
    special: Special<R>,
    chain: impl Step<R>,
) -> R
where
    R: Fallible,
    F: Future<Output = R>,
{
    let mut call = pin!(Call::new(entry.site));
    call.as_mut().begin_call(entry);
    let attempts = pin!(Attempts::new(make, None, special));
    or(call, attempts, chain).await
}

/// Runs a call to its answer, or to that of the chain.
async fn or<R: Fallible>(mut call: Pin<&mut Call<'_>>, mut body: Pin<&mut impl Keeps<R>>, chain: impl Step<R>) -> R {
    let verdict = poll_fn(|cx| call.as_mut().drive(cx, body.as_mut())).await;
    context::within(call.given(), async {
        let answer = answer(&call, body.kept(), &verdict);
        fallback::finish(call, verdict, answer, chain).await
    })
    .await
}

/// Runs a call to its answer.
fn poll<R: Answer>(mut call: Pin<&mut Call<'_>>, cx: &mut Context<'_>, mut body: Pin<&mut dyn Keeps<R>>) -> Poll<R> {
    let verdict = ready!(call.as_mut().drive(cx, body.as_mut()));
    let mut context = call.given();
    let _context = context.is_some().then(|| context::enter(&mut context));
    let kept = body.kept();
    // Looked at where it is, as nearly every answer is kept there, and moved but once.
    if let (Verdict::Answered(_), Some(kept)) = (&verdict, kept.as_ref()) {
        finish(call.as_mut(), &verdict, kept);
    }
    let answer = answer(&call, kept, &verdict);
    if !call.has_ended() {
        finish(call, &verdict, &answer);
    }
    Poll::Ready(answer)
}

/// The answer of a call whose guarded part has ended. One that was kept although nobody wants it stays.
fn answer<R: Answer>(call: &Call<'_>, kept: &mut Option<R>, verdict: &Verdict) -> R {
    let refused = |error: ResilienceError| {
        // An answer that is made here may say how the call went.
        call.report(verdict.outcome());
        R::refused(error)
    };
    match verdict {
        Verdict::Refused(error) => refused(error.clone()),
        // An answered verdict comes with an answer; without one there was a panic on the way.
        Verdict::Answered(_) => kept.take().unwrap_or_else(|| refused(ResilienceError::Panicked)),
    }
}

fn finish<R: Answer>(call: Pin<&mut Call<'_>>, verdict: &Verdict, answer: &R) {
    // That a client gave up is no error of anybody's; it has an event of its own.
    if let Some(error) = answer.error().filter(|_| verdict.outcome() != Outcome::Cancelled) {
        telemetry::call_failed(&call, error);
    }
    call.finish(verdict);
}
