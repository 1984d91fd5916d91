//! A breaker in plain code: a call with a breaker and no other policy.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::Instant;

use crate::answer::{Answer, Meaning};
use crate::breaker::{AttemptDuration, Breaker, Permit, Signal};
use crate::clock;
use crate::context::{CallContext, EnclosingAttempt, Lending, Loan};
use crate::error::ResilienceError;

impl Breaker {
    /// Runs a future if the breaker admits it, and records the result: `Ok` is a success, an error counts by its kind,
    /// and a panic is neutral and propagates. Dropping the future returns the permit.
    ///
    /// Inside an attempt of a guarded function with the same breaker, the call uses the permit of the attempt, and
    /// waits while another call inside that attempt uses it. A guarded function inside `future` requests a separate
    /// permit.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use resilient_runtime::{Breaker, ResilienceError};
    /// use resilient_runtime::policy::BreakerSettings;
    ///
    /// static SHOP: Breaker = Breaker::new("shop", BreakerSettings::new());
    ///
    /// let answer: Result<u32, ResilienceError> = SHOP.call(async { Ok(7) }).await;
    /// assert_eq!(answer, Ok(7));
    /// # });
    /// ```
    pub async fn call<R: Answer>(&self, future: impl Future<Output = R>) -> R {
        let enclosing = CallContext::current().map(CallContext::inside).and_then(|context| context.enclosing());
        let (mut permit, _loan) = match self.acquire_inside(enclosing.as_ref()).await {
            Ok(permit) => permit,
            Err(rejected) => return R::refused(rejected),
        };
        let mut future = pin!(future);
        let limit = self.held().slow;
        let mut timer = pin!(limit.map(tokio::time::sleep));
        let (mut is_armed, mut took) = (false, None);
        let answer = poll_fn(|cx| {
            // A panic propagates and drops the permit, which is neutral.
            let polled = future.as_mut().poll(cx);
            let (Some(mut timer), Some(limit), Some(ticket)) = (timer.as_mut().as_pin_mut(), limit, permit.ticket)
            else {
                return polled;
            };
            let stood_still =
                |due: Instant| clock::is_far_too_late(due.elapsed(), due.saturating_duration_since(permit.started));
            if polled.is_ready() {
                if is_armed && took.is_none() && stood_still(timer.deadline()) {
                    took = Some(AttemptDuration::Unknown);
                }
                return polled;
            }
            is_armed = true;
            while !matches!(took, Some(AttemptDuration::KnownToBeSlow(_)))
                && clock::poll_timer(timer.as_mut(), cx).is_ready()
            {
                if stood_still(timer.deadline()) {
                    // The dependency gets the full time again from now on.
                    took = Some(AttemptDuration::Unknown);
                    timer.as_mut().reset(clock::later(Instant::now(), limit));
                    continue;
                }
                let noted = self.note_slow(ticket);
                took = Some(noted);
                if let Some(enclosing) = enclosing.as_ref().filter(|_| noted.is_in_window()) {
                    enclosing.recorded(self, Signal::Success);
                }
            }
            polled
        })
        .await;
        if let Some(ticket) = permit.ticket.take() {
            let signal = match answer.meaning() {
                Meaning::Good => Signal::Success,
                Meaning::Failed(failed) if failed.0.trips_breaker => Signal::Failure,
                Meaning::Failed(_) | Meaning::OwnError | Meaning::Unfinished => Signal::Neutral,
            };
            self.record(ticket, signal, took.unwrap_or_else(|| AttemptDuration::Time(permit.started.elapsed())));
            if let Some(enclosing) = &enclosing {
                enclosing.recorded(self, signal);
            }
        }
        answer
    }

    /// Requests a permit inside an attempt, which may hold the only permit there is.
    async fn acquire_inside(
        &self,
        enclosing: Option<&Arc<EnclosingAttempt>>,
    ) -> Result<(Permit<'_>, Option<Loan>), ResilienceError> {
        let permit = |ticket| Permit::new(self, ticket);
        loop {
            let lender = match enclosing.map_or(Lending::Nothing, |enclosing| enclosing.lend_permit(self)) {
                Lending::Granted(loan, Some(ticket)) => return Ok((permit(ticket), Some(loan))),
                Lending::Granted(_, None) | Lending::Nothing => return Ok((self.try_acquire()?, None)),
                Lending::Taken(lender) => lender,
            };
            let mut changed = pin!(self.changed());
            changed.as_mut().enable();
            if let Some(ticket) = self.admit_if_free(self.held().open) {
                return Ok((permit(ticket), None));
            }
            poll_fn(|cx| {
                let is_back = lender.poll_return(cx).is_ready();
                if changed.as_mut().poll(cx).is_ready() || is_back { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }
}
