//! The first attempt of a call whose state machine has begun: of most calls, it is the only one. A good answer ends such a
//! call without a round through the states.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::attempt::{Admission, Polled, of_body};
use super::permit::CallBreaker;
use super::result::AttemptResult;
use super::{Call, State};
use crate::answer::Meaning;
use crate::breaker::Clean;
use crate::clock::Moment;
use crate::context;
use crate::outcomes::Outcome;
use crate::panics::{catch_panic, catch_panic_inline};
use crate::pipeline::body::{Body, Ended};

/// What is known of the running attempt before the state machine goes on.
pub(crate) enum Before {
    /// Its body was polled just now.
    Polled(Polled),
    /// Its body is not ready, and it ends like this.
    Ended(AttemptResult),
}

/// The result of a poll of a first attempt.
pub(crate) enum LaterPoll {
    /// The body has a good answer, and the call is counted.
    Good,
    /// The attempt still runs.
    Pending,
    /// The state machine has to go on.
    GoesOn(Option<Before>),
}

impl Call<'_> {
    /// Polls the attempt if it is the first one of a call that began with it.
    #[inline(never)]
    pub(crate) fn poll_first_attempt(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut body: Pin<&mut dyn Body>,
    ) -> LaterPoll {
        let this = self.as_mut().project();
        let is_first = *this.is_counted_once && *this.attempts == 1;
        let (State::Running(attempt), true) = (&*this.state, is_first) else { return LaterPoll::GoesOn(None) };
        let started = attempt.started;
        let Some(entered) = context::enter_root_again(this.context) else { return LaterPoll::GoesOn(None) };
        let mut meaning = None;
        let polled = catch_panic_inline(|| body.as_mut().poll(cx, None, &mut meaning));
        // A good answer changes nothing, as nearly all do.
        let is_usual = polled == Some(Poll::Ready(Ended::Good))
            && this.breaker.as_ref().is_none_or(CallBreaker::is_unchanged_by_success);
        match if is_usual { entered.end() } else { Err(entered) } {
            Ok(()) => {
                CallBreaker::end_unchanged(this.breaker);
                if this.binding.counted_once.begun().ended(Moment::now_inline().micros_since(started)) {
                    this.binding.cold.statistics.note_success();
                }
                this.state.advance(State::Done);
                return LaterPoll::Good;
            }
            Err(entered) => {
                if polled.is_none() {
                    catch_panic(|| body.as_mut().abandon());
                }
                entered.leave_into(this.context);
            }
        }
        let polled = of_body(polled, meaning);
        self.not_ended(cx, polled).map_or(LaterPoll::Pending, |before| LaterPoll::GoesOn(Some(before)))
    }

    /// Makes the first attempt of a call that has just begun, unless the state machine has to decide about it. `clean` is
    /// the state of its breaker, which admits every call.
    #[inline]
    pub(super) fn attempt_at_once(
        mut self: Pin<&mut Self>,
        clean: Option<Clean>,
        cx: &mut Context<'_>,
        body: Pin<&mut dyn Body>,
    ) -> LaterPoll {
        let State::Admitting(at) = self.state else { return LaterPoll::GoesOn(None) };
        // A call inside an attempt has the permit of that one.
        if self.caller.is_nested || self.is_cancelled() {
            return LaterPoll::GoesOn(None);
        }
        if let Some((breaker, clean)) = self.as_mut().project().breaker.as_mut().zip(clean) {
            breaker.hold(clean.ticket());
        }
        self.as_mut().begin_attempt(Admission { at, has_waited: false });
        let polled = self.as_mut().poll_body(cx, body);
        if matches!(polled, Poll::Ready(Some(Meaning::Good))) {
            self.as_mut().succeeded();
            self.end(Outcome::Ok, None);
            return LaterPoll::Good;
        }
        self.not_ended(cx, polled).map_or(LaterPoll::Pending, |before| LaterPoll::GoesOn(Some(before)))
    }

    /// Returns what the state machine needs to know of an attempt whose body was polled and that has not ended the call.
    /// `None`: the attempt still runs.
    pub(super) fn not_ended(self: Pin<&mut Self>, cx: &mut Context<'_>, polled: Polled) -> Option<Before> {
        if polled.is_ready() {
            return Some(Before::Polled(polled));
        }
        match self.poll_limits(cx) {
            Poll::Ready(result) => Some(Before::Ended(result)),
            Poll::Pending => None,
        }
    }
}
