//! `fallback = deferred`: a call that cannot be performed now is stored, and delivered later.
//!
//! Before the call requests anything, the store is searched for a write with its key: a waiting or delivered one answers
//! the call. If the call fails in a way that may pass, and no other fallback answers, it is stored. The answer is left in
//! the request, where no conversion of the error can lose it; the hook writes it.

mod accept;
mod find;

pub(super) use accept::Acceptance;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use resilient_policy::{DeferredSettings, ErrorKind, Fault};

use super::call::{AttemptResult, Call, events};
use crate::answer::{Failed, Fallible, Meaning};
use crate::context::Request;
use crate::deferred::{Accepted, Deferral, DeferredAnswer, Found, Scope, State, Unanswered};
use crate::error::{Failure, LimitKind, RefusalReason, ResilienceError};
use crate::outcomes::Outcome;
use crate::registry::Registry;
use crate::site::DeferredBy;
use crate::statistics::DeferredResult;

/// Why the calls of a tool are not stored that no worker delivers.
const UNKNOWN_TOOL: &str = "unknown_tool";

/// A call of a function that defers its calls, and answers a request.
pub(super) struct Deferrable {
    request: Arc<Request>,
    /// `None` if the settings at start switch it off.
    settings: Option<DeferredSettings>,
    timeout: Duration,
    /// The store and the scope in it, or the word for why it cannot be stored.
    stored_in: Result<ScopedStore, &'static str>,
}

/// The store of deferred writes, and the scope of a call in it.
struct ScopedStore {
    deferral: Arc<Deferral>,
    scope: Scope,
}

impl Deferrable {
    /// Returns the call as one that can be deferred, if it can be. A delivery cannot, and neither can a call that another
    /// function makes.
    pub(super) fn of(call: &Call<'_>) -> Option<Box<Self>> {
        let by = call.deferred_by()?;
        Self::of_marked(call, by)
    }

    #[cold]
    fn of_marked(call: &Call<'_>, by: &DeferredBy) -> Option<Box<Self>> {
        let Some(request) = call.answered_request() else {
            if !call.is_hooked() {
                call.site().warn_once(
                    "this tool runs without the hook, so `fallback = deferred` stores nothing; add `#[resilient]` \
                     above `#[tool_router]`, or wrap the router with `mcp::instrument`",
                );
            } else if call.is_of_other_route() {
                call.site().warn_once(
                    "this tool is not called by its name, because its route has another one or another tool calls it, so \
                     `fallback = deferred` stores nothing",
                );
            }
            return None;
        };
        if request.delivery.is_some() {
            return None;
        }
        let policy = call.policy();
        let stored_in = ScopedStore::of(call, request, by);
        if stored_in.as_ref().is_err_and(|reason| *reason == UNKNOWN_TOOL) {
            call.site().warn_once(
                "nothing would deliver the calls of this tool, so `fallback = deferred` stores none; pass the router \
                 that has it to `Resilience::tools`, too",
            );
        }
        Some(Box::new(Self {
            settings: policy.deferred,
            timeout: policy.timeout,
            stored_in,
            request: Arc::clone(request),
        }))
    }

    fn count(&self, deferral: &Deferral, result: DeferredResult) {
        deferral.statistics.count(&self.request.tool, result);
    }

    /// Returns the answer that an entry with the key gives.
    fn answer_of(&self, deferral: &Deferral, found: Found) -> DeferredAnswer {
        let Found { entry, same_arguments } = found;
        let (receipt, state) = (entry.summary.receipt, entry.summary.state);
        let (result, answer) = match state {
            _ if !same_arguments => (DeferredResult::Conflict, DeferredAnswer::Conflict(receipt)),
            State::Waiting | State::Running => {
                let accepted = Accepted { summary: entry.summary, now: deferral.clock.now() };
                (DeferredResult::Existing, DeferredAnswer::Accepted(Box::new(accepted), None))
            }
            _ => (DeferredResult::Ended, DeferredAnswer::Ended { receipt, state, result: entry.result }),
        };
        self.count(deferral, result);
        answer
    }
}

impl ScopedStore {
    fn of(call: &Call<'_>, request: &Request, by: &DeferredBy) -> Result<Self, &'static str> {
        let deferral = Registry::here(Registry::deferral).ok_or("no_store")?;
        if !deferral.delivers(call.site().address()) {
            return Err(UNKNOWN_TOOL);
        }
        // Members of the request that answer what a tool requested mean nothing here: no function that defers its calls
        // takes them. So they cannot avoid the check of the key either.
        let arguments = request.arguments.as_ref().ok_or("no_arguments")?;
        let principal = request.owner().ok_or("no_principal")?;
        let key = match by {
            DeferredBy::Arguments => arguments.clone(),
            DeferredBy::Key(key) => key.clone().ok_or("no_key")?,
        };
        let (server, tool) = (deferral.server.clone(), request.tool.to_string());
        Ok(Self { scope: Scope { server, tool, principal, key }, deferral })
    }
}

/// Leaves the answer in the request, and ends the call with it.
pub(super) fn answered<R: Fallible>(call: Pin<&mut Call<'_>>, answer: DeferredAnswer) -> R {
    let is_conflict = matches!(answer, DeferredAnswer::Conflict(_));
    let (error, outcome, fault) = if is_conflict {
        (ResilienceError::KeyConflict, Outcome::Error, Some(Fault::Caller))
    } else {
        (ResilienceError::Deferred, Outcome::Deferred, None)
    };
    if let Some(request) = call.hook_request() {
        let mut report = request.report();
        report.deferred = Some(Box::new(answer));
        report.never_ran = is_conflict;
    }
    // The conversion into the function's error may read the report.
    call.report(outcome, fault);
    let answer = R::refused(error);
    if is_conflict && let Some(error) = answer.error() {
        events::call_failed(&call, error);
    }
    call.end(outcome, fault);
    answer
}

/// Ends a call that did not run because a write with its key waits, although it does not get the receipt: the store
/// failed after it was found, or the client cancelled the call.
pub(super) fn unanswered<R: Fallible>(call: Pin<&mut Call<'_>>, error: ResilienceError) -> R {
    let outcome = if error == ResilienceError::Cancelled { Outcome::Cancelled } else { Outcome::Error };
    call.report(outcome, None);
    let answer = R::refused(error);
    if let Some(error) = answer.error() {
        events::call_failed(&call, error);
    }
    call.end(outcome, None);
    answer
}

/// What comes after the attempts of a call.
pub(super) struct Following {
    /// The kind of the error, if the other fallbacks may answer.
    pub(super) kind: Option<ErrorKind>,
    /// The call, if it may be deferred.
    pub(super) deferrable: Option<Box<Deferrable>>,
}

/// Decides which fallbacks follow the attempts of a call that has failed. At a delivery, none does.
pub(super) fn following(call: &Call<'_>, result: &AttemptResult) -> Following {
    if let Some(request) = call.delivery() {
        let own = call.answered_request().and(request.delivery.as_ref());
        if let (Some(delivery), Some(kind)) = (own, result.kind()) {
            delivery.failed(kind, retry_after(result), is_of_some_calls(call, result));
        }
        return Following { kind: None, deferrable: None };
    }
    let deferrable = if may_be_deferred(result) { Deferrable::of(call) } else { None };
    Following { kind: result.falls_back(), deferrable }
}

/// Returns whether the call failed in a way that may pass, and its error allows a fallback.
fn may_be_deferred(result: &AttemptResult) -> bool {
    let is_read_only =
        matches!(result, AttemptResult::Refused(ResilienceError::Refused { reason: RefusalReason::ReadOnly, .. }));
    let falls_back = is_read_only || result.falls_back().is_some();
    falls_back && result.kind().is_some_and(ErrorKind::may_be_deferred)
}

/// Returns whether a limit of this server refused the call that says nothing about calls of other callers or keys.
fn is_of_some_calls(call: &Call<'_>, result: &AttemptResult) -> bool {
    let AttemptResult::Refused(ResilienceError::Overloaded { limit, .. }) = result else { return false };
    *limit != LimitKind::Concurrency && call.has_keyed_limits()
}

/// Returns the delay that the error requests.
fn retry_after(result: &AttemptResult) -> Option<Duration> {
    match result {
        AttemptResult::Answered(Meaning::Failed(Failed(failure))) => failure.retry_after,
        AttemptResult::Answered(_) => None,
        AttemptResult::Refused(error) => Failure::of(error).retry_after,
    }
}
