//! The end of a call that has a chain.

use std::future::poll_fn;
use std::pin::{Pin, pin};

use tracing::Instrument;

use super::{Chance, Step};
use crate::answer::{Fallible, Meaning};
use crate::context::{CallContext, Degraded};
use crate::error::ResilienceError;
use crate::outcomes::Outcome;
use crate::panics::catch_panic;
use crate::pipeline::call::{AttemptResult, Call, events};
#[cfg(feature = "deferred")]
use crate::pipeline::deferring::{self, Acceptance, Following};

/// Ends a call that has a chain: stores a good answer, and tries the chain instead of an error.
pub(in crate::pipeline) async fn finish<R: Fallible>(
    mut call: Pin<&mut Call<'_>>,
    result: AttemptResult,
    answer: R,
    chain: impl Step<R::Good, R::Error>,
) -> R {
    let error = match answer.open() {
        Ok(good) => {
            // An answer that is based on a stale answer is stale too.
            if matches!(result, AttemptResult::Answered(Meaning::Good)) && !is_degraded(&call) {
                catch_panic(|| chain.keep(&good));
            }
            if result.is_missing() {
                catch_panic(|| chain.forget());
            }
            #[cfg(feature = "deferred")]
            if call.delivery().is_some() && result.kind().is_some() {
                // Nothing follows, but the worker learns the kind: the answer itself does not show it.
                deferring::following(&call, &result);
            }
            events::answer_failed(&call, &result);
            call.finish(&result);
            return R::close(Ok(good));
        }
        Err(error) => error,
    };
    if result.outcome() != Outcome::Cancelled {
        events::call_failed(&call, &error);
    }
    #[cfg(feature = "deferred")]
    let Following { kind, deferrable } = deferring::following(&call, &result);
    #[cfg(not(feature = "deferred"))]
    let kind = result.falls_back();
    #[cfg(feature = "deferred")]
    let is_deferrable = deferrable.is_some();
    #[cfg(not(feature = "deferred"))]
    let is_deferrable = false;
    if kind.is_none() && !is_deferrable {
        if result.is_missing() {
            catch_panic(|| chain.forget());
        }
        call.finish(&result);
        return R::close(Err(error));
    }
    call.as_mut().continues();
    let mut chance = Chance::of(&call, result.substitutes(), |error| error);
    let span = call.span().clone();
    let (mut chain, mut error) = (pin!(chain), Some(error));
    let good = match kind {
        Some(_) => {
            let serving = poll_fn(|cx| chain.as_mut().poll_serve(cx, &mut chance, &mut error));
            serving.instrument(span.clone()).await
        }
        None => None,
    };
    let served = match (good, error) {
        (Some(good), _) => Ok(good),
        (None, Some(error)) => Err(error),
        // Unreachable: a step without an answer sets the error again.
        (None, None) => {
            call.finish(&result);
            return R::refused(ResilienceError::Panicked);
        }
    };
    #[cfg(feature = "deferred")]
    if served.is_err()
        && !chance.cancelled
        && let Some(deferrable) = deferrable
    {
        // Boxed, so that the calls of other functions are not large enough for it.
        let accepting = Box::pin(deferrable.accept(&result, chance.context.as_ref()));
        match accepting.instrument(span).await {
            Acceptance::Answered(answer) => return deferring::answered(call, answer),
            Acceptance::Cancelled => chance.cancelled = true,
            Acceptance::Refused => {}
        }
    }
    if chance.cancelled {
        call.end(Outcome::Cancelled, None);
    } else if let (Ok(_), Some((source, age)), Some(kind)) = (&served, chance.served, kind) {
        call.statistics().fell_back(source);
        events::fallback_used(chance.tool, chance.context.as_ref(), source, kind, age);
        call.degrade(&Degraded { source, age, reason: result.reason().unwrap_or(kind.as_str()) });
        call.as_mut().finish_degraded(&result);
    } else {
        if let Some(request) = call.hook_request() {
            request.report().fallback_error = chance.public_error.take();
        }
        call.finish(&result);
    }
    R::close(served)
}

/// Returns whether a fallback has answered anything in this request.
pub(in crate::pipeline) fn is_degraded(call: &Call<'_>) -> bool {
    call.context().and_then(CallContext::request).is_some_and(|request| request.report().degraded.is_some())
}
