//! The first poll of a call whose caller has a context: another guarded function, or the hook. The hook's call of its tool
//! polls the body in the context of the request; the others begin their state machines.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::Call;
use super::first_attempt::{FirstAttempt, FirstAttemptPoll, FirstContext, Storage, begin_machine_in_attempt};
use crate::binding::{Binding, BindingRef};
use crate::breaker::Clean;
use crate::clock::Moment;
use crate::context;
use crate::outcomes::Outcome;
use crate::panics::catch_panic_inline;
use crate::pipeline::body::{Body, Ended};
use crate::site::Site;

/// Polls the body of a call that begins at `started`, and whose breaker, in the state `clean`, admits every call.
#[inline(never)]
pub(super) fn poll_within<'a>(
    storage: Storage<'_, 'a>,
    (site, bound): (&'a Site, BindingRef<'a>),
    (started, clean): (Moment, Option<Clean>),
    cx: &mut Context<'_>,
    mut body: Pin<&mut dyn Body>,
) -> FirstAttemptPoll {
    let binding: &Binding = &bound;
    let deadline = started.after(binding.timeout);
    let end = binding.attempt_end(started).min(deadline);
    let Some(context) = context::enter_request(end, |request| request.claim_at_once(site, binding)) else {
        return begin_machine_within(storage, (site, bound), clean, cx, body);
    };
    binding.cold.statistics.attempt_started();
    if binding.earns_retries {
        binding.attempts().deposit(started.seconds());
    }
    let is_last = binding.retries == 0;
    let mut meaning = None;
    let polled = catch_panic_inline(|| body.as_mut().poll(cx, Some(is_last), &mut meaning));
    // A good answer changes nothing, as nearly all do.
    let is_unchanged = |clean| binding.breaker.as_deref().is_none_or(|breaker| breaker.is_still(clean));
    let is_usual = polled == Some(Poll::Ready(Ended::Good)) && clean.is_none_or(is_unchanged);
    let report = |request: &context::Request| request.report().ends(site, Outcome::Ok, None, 1);
    let ended = if is_usual { context.end(report) } else { Err(context) };
    let Err(context) = ended else {
        binding.attempts().succeeded(Moment::now_inline().micros_since(started));
        return FirstAttemptPoll::Good;
    };
    let deadline = deadline.min(context.request_deadline());
    let context = FirstContext::OfRequest(context);
    let attempt = FirstAttempt { started, deadline, context, clean, polled, meaning };
    begin_machine_in_attempt(storage, (site, bound), attempt, cx, body)
}

/// Begins the state machine, and makes its first attempt if that is admitted.
#[inline(never)]
fn begin_machine_within<'a>(
    mut storage: Storage<'_, 'a>,
    (site, binding): (&'a Site, BindingRef<'a>),
    clean: Option<Clean>,
    cx: &mut Context<'_>,
    body: Pin<&mut dyn Body>,
) -> FirstAttemptPoll {
    storage.set(Some(Call::bound(site, binding, None)));
    // It was stored just now.
    let Some(mut call) = storage.as_pin_mut() else { return FirstAttemptPoll::GoesOn(None) };
    call.as_mut().begin();
    call.attempt_at_once(clean, cx, body)
}
