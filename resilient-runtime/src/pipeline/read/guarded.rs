//! The guards of functions with `cache(fresh ..)`.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

use super::Read;
use crate::answer::Fallible;
use crate::context;
use crate::error::ResilienceError;
use crate::panics::catch_panic;
use crate::pipeline::Special;
use crate::pipeline::before::Renewed;
use crate::pipeline::body::{Attempts, Body, StoresAnswer};
use crate::pipeline::call::CallCell;
use crate::pipeline::fallback::{self, Step};
use crate::pipeline::guarded::{answer, finish};

/// Guards a function with `cache(fresh ..)` that runs once.
pub async fn once_read<R>(
    call: Pin<&mut CallCell<'_>>,
    body: impl Future<Output = R>,
    special: Special<R>,
    read: Read<R::Good, R::Error>,
    chain: impl Step<R::Good, R::Error>,
) -> R
where
    R: Fallible,
    R::Good: Send + Sync + 'static,
{
    let attempts = pin!(Attempts::new(|_| None, Some(body), special));
    run(call, attempts, read, chain).await
}

/// Guards a function with `cache(fresh ..)` that may run again.
pub async fn repeat_read<R, F>(
    call: Pin<&mut CallCell<'_>>,
    make: impl FnMut(bool) -> Option<F>,
    special: Special<R>,
    read: Read<R::Good, R::Error>,
    chain: impl Step<R::Good, R::Error>,
) -> R
where
    R: Fallible,
    R::Good: Send + Sync + 'static,
    F: Future<Output = R>,
{
    let attempts = pin!(Attempts::new(make, None, special));
    run(call, attempts, read, chain).await
}

/// Like [`repeat_read`], with a function that runs before each retry. Its error is the answer of the call.
pub async fn repeat_read_before<R, F, P>(
    call: Pin<&mut CallCell<'_>>,
    make: impl FnMut(bool) -> Option<F>,
    special: Special<R>,
    before: impl FnMut(Arc<R::Error>) -> P,
    read: Read<R::Good, R::Error>,
    chain: impl Step<R::Good, R::Error>,
) -> R
where
    R: Fallible,
    R::Good: Send + Sync + 'static,
    F: Future<Output = R>,
    P: Future<Output = Result<(), R::Error>>,
{
    let attempts = pin!(Renewed::new(Attempts::new(make, None, special), before));
    run(call, attempts, read, chain).await
}

/// A read and its body. A call that is dropped drops its body first: a follower that takes the place of the leader must
/// not run the body beside it.
struct Reading<'b, B: Body, G, E> {
    body: Pin<&'b mut B>,
    read: Read<G, E>,
}

impl<B: Body, G, E> Drop for Reading<'_, B, G, E> {
    fn drop(&mut self) {
        catch_panic(|| self.body.as_mut().abandon());
    }
}

async fn run<R>(
    call: Pin<&mut CallCell<'_>>,
    mut body: Pin<&mut impl StoresAnswer<R>>,
    read: Read<R::Good, R::Error>,
    chain: impl Step<R::Good, R::Error>,
) -> R
where
    R: Fallible,
    R::Good: Send + Sync + 'static,
{
    // The look for a kept answer has begun it.
    let Some(mut call) = call.begin() else { return R::refused(ResilienceError::Cancelled) };
    let is_refresh = read.is_refresh;
    let mut reading = Reading { body: body.as_mut(), read };
    let result = poll_fn(|cx| reading.read.poll(cx, call.as_mut(), reading.body.as_mut())).await;
    drop(reading);
    context::within(call.passed_context(), async {
        let answer = answer(&call, body.last_answer(), &result);
        if is_refresh {
            finish(call, &result, &answer);
            return answer;
        }
        fallback::finish(call, result, answer, chain).await
    })
    .await
}
