//! The part of the hook for deferred calls and deliveries.

use super::ServedCall;
use crate::deferred::DeferredAnswer;
use crate::mcp::accepted::Conflict;
use crate::mcp::authorize::Within as _;
use crate::mcp::{Handled, tried, wire};
use crate::outcomes::Outcome;
use crate::statistics::ErrorType;

impl ServedCall<'_> {
    /// Answers a call that is not performed now.
    pub(super) fn deferred(&mut self, answer: DeferredAnswer) -> Handled {
        let recipient = self.recipient.unwrap_or_default();
        let Some(context) = self.context.clone() else { return Err(wire::internal()) };
        let (answered, outcome) = match answer {
            // rmcp no longer sends the response: the entry is withdrawn.
            DeferredAnswer::Accepted(accepted, Some(_unanswered)) if self.request.cancellation.is_cancelled() => {
                (Ok(recipient.accepted(&accepted, &context)), Outcome::Cancelled)
            }
            DeferredAnswer::Accepted(accepted, unanswered) => {
                let answered = Ok(recipient.accepted(&accepted, &context));
                if let Some(unanswered) = unanswered {
                    unanswered.answered();
                }
                (answered, Outcome::Deferred)
            }
            DeferredAnswer::Ended { receipt, state, result } => {
                (recipient.ended((receipt, state), result.as_deref(), &context), Outcome::Deferred)
            }
            DeferredAnswer::Conflict(receipt) => {
                let answered = self.within(|| wire::tool_error(&Conflict(receipt)));
                (answered.unwrap_or_else(|| Err(wire::internal())), Outcome::Error)
            }
        };
        self.count(outcome, ErrorType::of_outcome(outcome), answered.as_ref().err());
        answered
    }

    /// Answers a call that is not performed now, if it is one.
    pub(super) fn take_deferred(&mut self) -> Option<Handled> {
        let deferred = self.request.report().deferred.take()?;
        Some(self.deferred(*deferred))
    }

    /// Withdraws a call that was accepted and is not answered.
    pub(super) fn withdraw_deferred(&self) {
        let deferred = self.request.report().deferred.take();
        drop(deferred);
    }

    /// Reports to the worker how its delivery ended.
    pub(super) fn note_delivery(&self, answered: &Handled) {
        let (Some(delivery), Some(outcome)) = (&self.request.delivery, self.counted) else { return };
        let ran = {
            let report = self.request.report();
            let is_unguarded = !report.is_claimed() && !report.never_ran && outcome != Outcome::Rejected;
            report.attempts > 0 || is_unguarded
        };
        delivery.ended(tried::tried(answered, outcome, ran));
    }
}
