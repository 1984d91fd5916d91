//! The result of a run: the answer that the cache keeps, and the landing that the followers take.

use std::sync::Arc;

use resilient_policy::ErrorKind;

use super::Read;
use crate::answer::{Failed, Fallible, Meaning};
use crate::cache::{Landed, Landing, Lead, NewAnswer, Shared};
use crate::error::{ResilienceError, SharedError, TimeoutScope, ToolError};
use crate::panics::catch_panic;
use crate::pipeline::call::{AttemptResult, Call};
use crate::pipeline::fallback::is_degraded;

impl<G, E> Read<G, E>
where
    G: Send + Sync + 'static,
    E: ToolError,
{
    /// Keeps the answer of a run, and shares it with the followers.
    pub(super) fn settle<R>(&self, lead: Option<Lead>, call: &Call<'_>, result: &AttemptResult, answer: Option<&R>)
    where
        R: Fallible<Good = G, Error = E>,
    {
        let Some(key) = self.key else { return };
        let landed = match (result, answer.map(R::view)) {
            (AttemptResult::Answered(meaning), Some(Ok(good))) => {
                let kept = matches!(meaning, Meaning::Good).then(|| self.keep(key, call, good)).flatten();
                let Some(lead) = lead.and_then(has_followers) else { return };
                let landed = match (meaning, kept) {
                    (Meaning::Unfinished, _) => Some(Landed::Nothing),
                    (meaning, Some(kept)) => Some(Landed::Value(kept, *meaning)),
                    (meaning, None) => self.shared(good).map(|good| Landed::Value(good, *meaning)),
                };
                (lead, landed)
            }
            (AttemptResult::Answered(meaning @ Meaning::Failed(Failed(failure))), Some(Err(error))) => {
                if failure.kind == ErrorKind::NotFound
                    && let Some(answers) = call.answers()
                {
                    answers.remove(key);
                }
                if is_of_the_leader(call, failure.kind) {
                    return;
                }
                let Some(lead) = lead.and_then(has_followers) else { return };
                let shared = catch_panic(|| match self.errors.share(error) {
                    Some(shared) => Landed::Error(shared, *meaning),
                    None => Landed::Described(SharedError::of(error)),
                });
                (lead, shared)
            }
            (AttemptResult::Refused(error), _) if call.attempts() > 0 && is_of_the_run(error) => {
                let Some(lead) = lead.and_then(has_followers) else { return };
                (lead, Some(Landed::Refused(error.clone())))
            }
            // The deadline and the cancellation are the leader's alone, and so is a rejection: a follower leads.
            _ => return,
        };
        if let (lead, Some(landed)) = landed {
            lead.land(Landing { landed, reported: call.reported(self.warnings_before) });
        }
    }

    /// Keeps a good answer. Returns the copy.
    fn keep(&self, key: u128, call: &Call<'_>, good: &G) -> Option<Shared> {
        let answers = call.answers()?;
        // An answer that is based on a stale answer is stale too.
        if is_degraded(call) || answers.generation() != self.generation {
            return None;
        }
        let bytes = catch_panic(|| (self.size)(good))?;
        if !answers.fits(bytes) {
            answers.remove(key);
            return None;
        }
        let answer = self.shared(good)?;
        let warnings = call.reported(self.warnings_before).warnings;
        let new = NewAnswer { answer: Arc::clone(&answer), bytes, generation: self.generation, warnings };
        answers.insert(key, new);
        Some(answer)
    }

    fn shared(&self, good: &G) -> Option<Shared> {
        catch_panic(|| Arc::new((self.copy)(good)) as Shared)
    }

    /// Takes the answer of the leader. Returns `None` if this call cannot use it.
    pub(super) fn take<R>(&self, landing: &Landing, call: &Call<'_>, last: &mut Option<R>) -> Option<AttemptResult>
    where
        R: Fallible<Good = G, Error = E>,
    {
        let result = match &landing.landed {
            Landed::Value(value, meaning) => {
                let good = value.downcast_ref::<G>()?;
                *last = Some(R::close(Ok(catch_panic(|| (self.copy)(good))?)));
                AttemptResult::Answered(*meaning)
            }
            Landed::Error(error, meaning) => {
                *last = Some(R::close(Err(catch_panic(|| self.errors.take(error))??)));
                AttemptResult::Answered(*meaning)
            }
            Landed::Described(error) => {
                call.report_error(error);
                AttemptResult::Refused(ResilienceError::Shared(error.clone()))
            }
            Landed::Refused(error) => AttemptResult::Refused(error.clone()),
            Landed::Nothing => return None,
        };
        call.report_shared(&landing.reported);
        Some(result)
    }
}

/// Ends a run without followers.
fn has_followers(mut lead: Lead) -> Option<Lead> {
    if lead.ends_alone() { None } else { Some(lead) }
}

/// Returns whether an error of this kind may come from the leader's own cancellation or deadline.
fn is_of_the_leader(call: &Call<'_>, kind: ErrorKind) -> bool {
    kind == ErrorKind::Cancelled || call.is_given_up() || (kind == ErrorKind::Timeout && call.is_past_deadline())
}

/// Returns whether the pipeline ended a run for a reason that is not the leader's own.
fn is_of_the_run(error: &ResilienceError) -> bool {
    match error {
        ResilienceError::Timeout { scope, .. } => *scope == TimeoutScope::Attempt,
        ResilienceError::CircuitOpen { .. }
        | ResilienceError::Overloaded { .. }
        | ResilienceError::Refused { .. }
        | ResilienceError::Cancelled => false,
        _ => true,
    }
}
