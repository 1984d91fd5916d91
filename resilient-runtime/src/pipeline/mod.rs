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

mod body;
mod breaker;
#[cfg(feature = "cache")]
mod cached;
mod call;
mod fallback;
mod guarded;
mod special;

use std::future::poll_fn;
use std::pin::{Pin, pin};

#[cfg(feature = "cache")]
pub use cached::{AnswerKey, Cached};
pub use fallback::{End, Function, Limit, Sides, Step, Then, Value, sides};
pub use special::Special;

pub use call::Call;

use crate::answer::{Answer, Fallible};
use crate::context;
use body::{Attempts, Keeps};
use guarded::{Guarded, answer};

/// Guards a function that runs once.
pub fn once<R: Answer>(
    call: Pin<&mut Call<'_>>,
    body: impl Future<Output = R>,
    special: Special<R>,
) -> impl Future<Output = R> {
    Guarded::new(call, |_| None, Some(body), special)
}

/// Guards a function that may run again: `make` gives an attempt, and may use up the arguments
/// for the last one.
pub fn repeat<R, F>(
    call: Pin<&mut Call<'_>>,
    make: impl FnMut(bool) -> Option<F>,
    special: Special<R>,
) -> impl Future<Output = R>
where
    R: Answer,
    F: Future<Output = R>,
{
    Guarded::new(call, make, None, special)
}

/// As [`once`], with a chain of fallbacks.
pub async fn once_or<R: Fallible>(
    call: Pin<&mut Call<'_>>,
    body: impl Future<Output = R>,
    special: Special<R>,
    chain: impl Step<R::Good, R::Error>,
) -> R {
    let attempts = pin!(Attempts::new(|_| None, Some(body), special));
    or(call, attempts, chain).await
}

/// As [`repeat`], with a chain of fallbacks.
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

/// Runs a call to its answer, or to that of the chain.
async fn or<R: Fallible>(
    mut call: Pin<&mut Call<'_>>,
    mut body: Pin<&mut impl Keeps<R>>,
    chain: impl Step<R::Good, R::Error>,
) -> R {
    call.as_mut().begin();
    let result = poll_fn(|cx| call.as_mut().drive(cx, body.as_mut())).await;
    context::within(call.passed_context(), async {
        let answer = answer(&call, body.kept(), &result);
        fallback::finish(call, result, answer, chain).await
    })
    .await
}
