//! What comes before a retry: the backoff, and then the function of the user that runs before the attempt requests
//! admission, so that the call holds no permit meanwhile.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::sleep_until;

use super::{AttemptResult, Call, State};
use crate::clock::{self, Moment};
use crate::context;
use crate::error::ResilienceError;
use crate::outcomes::Suppressed;
use crate::panics::catch_panic;
use crate::pipeline::body::Body;

impl Call<'_> {
    /// Waits for the end of the backoff.
    pub(super) fn poll_backoff(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), AttemptResult>> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            return Poll::Ready(Err(self.cancelled()));
        }
        let mut this = self.as_mut().project();
        let State::Backoff(watch) = this.state else { return Poll::Ready(Ok(())) };
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            let until = Moment::of(timer.deadline());
            if clock::poll_timer(timer, cx).is_pending() {
                ready!(watch.poll_opened(this.breaker.as_deref(), until, cx));
                return Poll::Ready(Err(self.reject_by_opened_breaker()));
            }
        }
        this.timer.set(None);
        // A suspended process may have slept past the deadline.
        let admitted = self.as_mut().admit_retry(Moment::now());
        if admitted.is_ok() {
            *self.project().state = State::Before;
        }
        Poll::Ready(admitted)
    }

    /// Runs the function, within the deadline of the call. Its error is the answer of the call. Without a function,
    /// the attempt requests admission at once.
    #[cold]
    pub(super) fn poll_before(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut body: Pin<&mut dyn Body>,
    ) -> Poll<Result<(), AttemptResult>> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            self.as_mut().abandon(body);
            return Poll::Ready(Err(self.cancelled()));
        }
        let mut this = self.as_mut().project();
        if let Some(context) = this.context {
            // Until the next attempt begins, the context has the end of the last one.
            context.set_deadline(*this.deadline);
        }
        let mut failed = None;
        let polled = {
            let refused = this.last.as_ref().and_then(AttemptResult::refused);
            let _context = context::enter(this.context);
            catch_panic(|| body.as_mut().poll_before(cx, refused, &mut failed))
        };
        let ended = match polled {
            Some(Poll::Ready(())) => failed.map(AttemptResult::Answered),
            Some(Poll::Pending) => {
                let deadline = this.deadline.instant();
                if this.timer.is_none() {
                    this.timer.set(Some(sleep_until(deadline)));
                }
                if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                    ready!(clock::poll_timer(timer, cx));
                }
                self.as_mut().abandon(body);
                None
            }
            None => {
                self.as_mut().abandon(body);
                Some(AttemptResult::Refused(ResilienceError::Panicked))
            }
        };
        if let Some(ended) = ended {
            self.as_mut().give_back();
            *self.project().last = None;
            return Poll::Ready(Err(ended));
        }
        let mut this = self.as_mut().project();
        this.timer.set(None);
        Poll::Ready(self.admit_retry(Moment::now()))
    }

    /// Lets the retry request admission, unless the deadline has passed or the gate would refuse the call now.
    pub(super) fn admit_retry(mut self: Pin<&mut Self>, now: Moment) -> Result<(), AttemptResult> {
        let this = self.as_mut().project();
        *this.state = State::Admitting(now);
        if now >= *this.deadline
            && let Some(last) = this.last.take()
        {
            self.report_no_retry(Suppressed::Deadline.as_str(), None);
            #[cfg(feature = "cache")]
            self.cut_retry(now);
            return Err(last);
        }
        self.ask_gate_again()
    }

    /// Drops what runs of the user's code.
    fn abandon(self: Pin<&mut Self>, body: Pin<&mut dyn Body>) {
        let _context = context::enter(self.project().context);
        catch_panic(|| body.abandon());
    }
}
