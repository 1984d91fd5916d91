//! The first attempt of a call, which of most calls is the only one: the state machine begins with it once its body is not
//! ready, and a good answer ends the call without a round through the states.

use std::mem::{forget, replace};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::attempt::{Admission, Attempt, Polled, of_body};
use super::nested::Caller;
use super::permit::CallBreaker;
use super::result::AttemptResult;
use super::{Call, State};
use crate::answer::Meaning;
use crate::binding::BindingRef;
use crate::breaker::Clean;
use crate::clock::Moment;
use crate::context::{self, EnteredRequest, EnteredRoot};
use crate::outcomes::Outcome;
use crate::panics::{catch_panic, catch_panic_inline};
use crate::pipeline::body::{Body, Ended};
use crate::site::Site;

/// The progress of a running attempt when the state machine goes on with it.
pub(crate) enum AttemptProgress {
    /// Its body was polled just now.
    Polled(Polled),
    /// Its body is not ready, and it ends like this.
    Ended(AttemptResult),
}

/// The result of a poll of a first attempt.
pub(crate) enum FirstAttemptPoll {
    /// The body has a good answer, and the call is counted.
    Good,
    /// The attempt still runs.
    Pending,
    /// The state machine has to go on.
    GoesOn(Option<AttemptProgress>),
}

/// A first attempt that has not ended its call in its first poll.
pub(super) struct FirstAttempt {
    pub(super) started: Moment,
    /// The deadline of the call.
    pub(super) deadline: Moment,
    pub(super) context: FirstContext,
    /// The state of the breaker, which has admitted the call.
    pub(super) clean: Option<Clean>,
    pub(super) polled: Option<Poll<Ended>>,
    pub(super) meaning: Option<Meaning>,
}

/// The context of a first attempt.
pub(super) enum FirstContext {
    /// A new one, of a call that was counted when it began.
    Root(EnteredRoot),
    /// That of the request that the call answers. The hook counts the call.
    OfRequest(EnteredRequest),
}

/// The storage of a state machine.
pub(super) type Storage<'c, 'a> = Pin<&'c mut Option<Call<'a>>>;

/// Begins the state machine with the first attempt, whose body was polled.
#[inline(never)]
pub(super) fn begin_machine_in_attempt<'a>(
    mut storage: Storage<'_, 'a>,
    (site, binding): (&'a Site, BindingRef<'a>),
    attempt: FirstAttempt,
    cx: &mut Context<'_>,
    body: Pin<&mut dyn Body>,
) -> FirstAttemptPoll {
    let FirstAttempt { started, deadline, context, clean, polled, meaning } = attempt;
    if polled.is_none() {
        catch_panic(|| body.abandon());
    }
    let breaker = CallBreaker::of(&binding).map(|breaker| breaker.with(clean.map(Clean::ticket)));
    let slow_at = breaker.as_deref().map_or(Moment::LAST, |breaker| breaker.slow_at(started));
    storage.set(Some(Call::bound(site, binding, None)));
    // It was stored just now.
    let Some(mut call) = storage.as_pin_mut() else { return FirstAttemptPoll::GoesOn(None) };
    let this = call.as_mut().project();
    (*this.started, *this.deadline) = (started, deadline);
    *this.attempts = 1;
    match context {
        FirstContext::Root(entered) => {
            *this.is_on_short_path = true;
            entered.leave_into(this.context);
        }
        FirstContext::OfRequest(entered) => {
            *this.caller = Caller::hook(entered.request_deadline());
            entered.leave_into(this.context);
        }
    }
    // Without the code that would drop what was there before: nothing.
    forget(replace(this.breaker, breaker));
    forget(replace(this.state, State::Running(Attempt::polled(started, slow_at))));
    call.go_on(cx, of_body(polled, meaning))
}

impl Call<'_> {
    /// Polls the attempt if it is the first one of a call that began with it.
    #[inline(never)]
    pub(crate) fn poll_first_attempt(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut body: Pin<&mut dyn Body>,
    ) -> FirstAttemptPoll {
        let this = self.as_mut().project();
        let (State::Running(attempt), true) = (&*this.state, *this.is_on_short_path) else {
            return FirstAttemptPoll::GoesOn(None);
        };
        let started = attempt.started;
        let Some(entered) = context::enter_root_again(this.context) else { return FirstAttemptPoll::GoesOn(None) };
        let mut meaning = None;
        let polled = catch_panic_inline(|| body.as_mut().poll(cx, None, &mut meaning));
        // A good answer changes nothing, as nearly all do.
        let is_usual = polled == Some(Poll::Ready(Ended::Good))
            && this.breaker.as_ref().is_none_or(CallBreaker::is_unchanged_by_success);
        let ended = if is_usual { entered.end() } else { Err(entered) };
        let Err(entered) = ended else {
            CallBreaker::end_unchanged(this.breaker);
            if this.binding.counted_once.begun().ended(Moment::now_inline().micros_since(started)) {
                this.binding.cold.statistics.note_success();
            }
            this.state.advance(State::Done);
            return FirstAttemptPoll::Good;
        };
        if polled.is_none() {
            catch_panic(|| body.as_mut().abandon());
        }
        entered.leave_into(this.context);
        self.go_on(cx, of_body(polled, meaning))
    }

    /// Makes the first attempt of a call that has just begun, unless the state machine has to decide about it. `clean` is
    /// the state of its breaker, which admits every call.
    #[inline]
    pub(super) fn attempt_at_once(
        mut self: Pin<&mut Self>,
        clean: Option<Clean>,
        cx: &mut Context<'_>,
        body: Pin<&mut dyn Body>,
    ) -> FirstAttemptPoll {
        let State::Admitting(at) = self.state else { return FirstAttemptPoll::GoesOn(None) };
        // A call inside an attempt has the permit of that one.
        if self.caller.is_nested || self.is_cancelled() {
            return FirstAttemptPoll::GoesOn(None);
        }
        if let Some((breaker, clean)) = self.as_mut().project().breaker.as_mut().zip(clean) {
            breaker.hold(clean.ticket());
        }
        self.as_mut().begin_attempt(Admission { at, has_waited: false });
        let polled = self.as_mut().poll_body(cx, body);
        if matches!(polled, Poll::Ready(Some(Meaning::Good))) {
            self.as_mut().succeeded();
            self.end(Outcome::Ok, None);
            return FirstAttemptPoll::Good;
        }
        self.go_on(cx, polled)
    }

    /// Returns how an attempt goes on whose body was polled and that has not ended the call.
    fn go_on(self: Pin<&mut Self>, cx: &mut Context<'_>, polled: Polled) -> FirstAttemptPoll {
        if polled.is_ready() {
            return FirstAttemptPoll::GoesOn(Some(AttemptProgress::Polled(polled)));
        }
        match self.poll_limits(cx) {
            Poll::Ready(result) => FirstAttemptPoll::GoesOn(Some(AttemptProgress::Ended(result))),
            Poll::Pending => FirstAttemptPoll::Pending,
        }
    }
}
