//! The pipeline of a call: the order of its policies, outermost first:
//!
//! ```text
//! hook: context, statistics, outer panic barrier
//!   → cancellation → authorize → fallback → gate → cache → rate limit → timeout → retry → breaker → bulkhead
//!   → attempt timeout → panic barrier → body
//! ```
//!
//! - **`authorize`** and the **gate** are the hook's. A function with fallbacks applies the refusal of the gate, since a kept answer
//!   or a value may be served then.
//! - A function that **defers** its calls searches its store for a call with the same key before the refusal of the gate
//!   is applied. A stored call answers in place of everything below it.
//! - The **cache** serves a fresh answer, or the answer of a call with the same key that is under way, in place of
//!   everything below it.
//! - The **rate limit** counts calls, not attempts: it is checked once, before everything else, and never waits.
//!   One that replicas share waits at most 50 ms for the shared state; an open breaker rejects the call first.
//! - The **timeout** covers queueing, all attempts and the backoff between them.
//! - Each **attempt** needs its own permit of the breaker, which records its result, and runs no longer than its own
//!   limit or the rest of the timeout. A body that is ready at its first poll needs no timer.
//! - Each attempt takes a permit of the **bulkhead** after the breaker has admitted it, so that attempts which the
//!   breaker rejects do not queue. Queueing counts towards the timeout, but neither towards the attempt's own limit nor
//!   towards the lease of a probe. A retry queues again, behind the others: no bulkhead permit is held during backoff.
//!   A rejection by the bulkhead says nothing about the dependency.
//! - A **panic** is caught around the attempt. It is not retried and says nothing about the dependency.
//! - **Cancellation**, by the client or by dropping the future, drops the attempt, ends the backoff, returns all
//!   permits and is a separate outcome: no retry, no fallback.
//! - The function **before** a retry runs after the backoff and before the attempt requests its permits, within the
//!   timeout. Its error is the final one.
//! - A **fallback** receives the final error, and runs outside the breaker and the timeout, with its own limit. None
//!   runs at the delivery of a deferred call.

mod before;
mod body;
mod breaker;
#[cfg(feature = "cache")]
mod cached;
mod call;
#[cfg(feature = "deferred")]
mod deferring;
mod fallback;
mod guarded;
#[cfg(feature = "cache")]
mod read;
mod special;
mod writes;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

#[cfg(feature = "cache")]
pub use cached::{AnswerKey, Cached};
pub use fallback::{End, Function, Limit, Sides, Step, Then, Value, sides};
#[cfg(feature = "cache")]
pub use read::{ErrorSharing, Read, Refresh, once_read, repeat_read, repeat_read_before};
pub use special::Special;
pub use writes::Writes;

pub use call::{Call, CallCell};

use crate::answer::{Answer, Fallible};
use crate::context;
use before::Renewed;
use body::{Attempts, StoresAnswer};
#[cfg(feature = "deferred")]
use deferring::Deferrable;
use guarded::{Guarded, answer};

/// Guards a function that runs once.
pub fn once<R: Answer>(
    call: Pin<&mut CallCell<'_>>,
    body: impl Future<Output = R>,
    special: Special<R>,
) -> impl Future<Output = R> {
    Guarded::new(call, |_| None, Some(body), special)
}

/// Guards a function that may run again: `make` returns the future of an attempt, and may move the arguments
/// into the last one.
pub fn repeat<R, F>(
    call: Pin<&mut CallCell<'_>>,
    make: impl FnMut(bool) -> Option<F>,
    special: Special<R>,
) -> impl Future<Output = R>
where
    R: Answer,
    F: Future<Output = R>,
{
    Guarded::new(call, make, None, special)
}

/// Like [`once`], with a chain of fallbacks.
pub async fn once_or<R: Fallible>(
    call: Pin<&mut Call<'_>>,
    body: impl Future<Output = R>,
    special: Special<R>,
    chain: impl Step<R::Good, R::Error>,
) -> R {
    let attempts = pin!(Attempts::new(|_| None, Some(body), special));
    or(call, attempts, chain).await
}

/// Like [`repeat`], with a chain of fallbacks.
pub async fn repeat_or<R, F>(
    call: Pin<&mut Call<'_>>,
    make: impl FnMut(bool) -> Option<F>,
    special: Special<R>,
    chain: impl Step<R::Good, R::Error>,
) -> R
where
    R: Fallible,
    F: Future<Output = R>,
{
    let attempts = pin!(Attempts::new(make, None, special));
    or(call, attempts, chain).await
}

/// Like [`repeat_or`], with a function that runs before each retry. Its error is the answer of the call.
pub async fn repeat_before<R, F, P>(
    call: Pin<&mut Call<'_>>,
    make: impl FnMut(bool) -> Option<F>,
    special: Special<R>,
    before: impl FnMut(Arc<R::Error>) -> P,
    chain: impl Step<R::Good, R::Error>,
) -> R
where
    R: Fallible,
    F: Future<Output = R>,
    P: Future<Output = Result<(), R::Error>>,
{
    let attempts = pin!(Renewed::new(Attempts::new(make, None, special), before));
    or(call, attempts, chain).await
}

/// Runs a call and returns its answer, or that of the chain.
async fn or<R: Fallible>(
    mut call: Pin<&mut Call<'_>>,
    mut body: Pin<&mut impl StoresAnswer<R>>,
    chain: impl Step<R::Good, R::Error>,
) -> R {
    call.as_mut().begin();
    #[cfg(feature = "deferred")]
    if let Some(deferrable) = Deferrable::of(&call) {
        // Boxed, so that the calls of other functions are not large enough for it.
        let found = Box::pin(async move { deferrable.find().await }).await;
        if let Some(found) = found {
            return context::within(call.passed_context(), async {
                match found {
                    Ok(answer) => deferring::answered(call, answer),
                    Err(error) => deferring::unanswered(call, error),
                }
            })
            .await;
        }
    }
    let result = poll_fn(|cx| call.as_mut().drive(cx, body.as_mut(), None)).await;
    context::within(call.passed_context(), async {
        let answer = answer(&call, body.last_answer(), &result);
        fallback::finish(call, result, answer, chain).await
    })
    .await
}
