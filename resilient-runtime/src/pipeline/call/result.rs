//! The result of an attempt, and what it means for the call.

use resilient_policy::{ErrorKind, Fault};

use crate::answer::{Failed, Meaning};
use crate::error::{Failure, LimitKind, ResilienceError};
use crate::outcomes::{AttemptOutcome, Outcome};

/// The steps of a chain of fallbacks that may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Substitutes {
    /// `cached` alone.
    Cached,
    /// `cached`, and a value.
    CachedOrValue,
    /// Every step.
    All,
}

/// The result of an attempt, or of all attempts of a call.
#[derive(Debug, Clone)]
pub(crate) enum AttemptResult {
    /// The body returned an answer.
    Answered(Meaning),
    /// There is no answer, for this reason.
    Refused(ResilienceError),
}

impl AttemptResult {
    /// The outcome of a call with this result.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(Meaning::Good | Meaning::Unfinished) => Outcome::Ok,
            Self::Answered(Meaning::OwnError | Meaning::Failed(_)) => Outcome::Error,
            Self::Refused(ResilienceError::Timeout { .. }) => Outcome::Timeout,
            Self::Refused(
                ResilienceError::CircuitOpen { .. }
                | ResilienceError::Overloaded { .. }
                | ResilienceError::Refused { .. },
            ) => Outcome::Rejected,
            Self::Refused(ResilienceError::Cancelled) => Outcome::Cancelled,
            Self::Refused(ResilienceError::Panicked) => Outcome::Panic,
            Self::Refused(
                ResilienceError::Unauthorized
                | ResilienceError::KeyConflict
                | ResilienceError::KeyUnknown
                | ResilienceError::Shared(_),
            ) => Outcome::Error,
            Self::Refused(ResilienceError::Deferred) => Outcome::Deferred,
            #[cfg(feature = "testing")]
            Self::Refused(ResilienceError::Injected { .. }) => Outcome::Error,
        }
    }

    /// The outcome of an attempt with this result.
    pub(super) fn attempt_outcome(&self) -> AttemptOutcome {
        match self {
            Self::Answered(Meaning::Good | Meaning::Unfinished) => AttemptOutcome::Ok,
            Self::Answered(Meaning::OwnError | Meaning::Failed(_)) => AttemptOutcome::Error,
            Self::Refused(ResilienceError::Timeout { .. }) => AttemptOutcome::Timeout,
            Self::Refused(ResilienceError::Panicked) => AttemptOutcome::Panic,
            Self::Refused(_) => AttemptOutcome::Cancelled,
        }
    }

    /// The kind of the error, if it is one with a kind.
    pub(crate) fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Answered(Meaning::Failed(Failed(failure))) => Some(failure.kind),
            Self::Answered(_) => None,
            Self::Refused(error) => Some(Failure::of(error).kind),
        }
    }

    /// Why there is no answer, if there is none.
    pub(super) fn refused(&self) -> Option<&ResilienceError> {
        match self {
            Self::Answered(_) => None,
            Self::Refused(error) => Some(error),
        }
    }

    /// Whether what the call is about does not exist, according to the answer.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Answered(Meaning::Failed(Failed(failure))) if failure.kind == ErrorKind::NotFound)
    }

    /// The side that is at fault, if it is an error that shows it.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            // An error for the model, which the tool returned on purpose; or the decision of an operator or a level,
            // which says nothing about the tool even if a fallback answers.
            Self::Answered(Meaning::OwnError)
            | Self::Refused(
                ResilienceError::Refused { .. } | ResilienceError::Overloaded { limit: LimitKind::Concurrency, .. },
            ) => Some(Fault::None),
            // A rate limit says something about its caller, not about this server.
            Self::Refused(ResilienceError::Overloaded { limit: LimitKind::RateLimit, .. }) => Some(Fault::Caller),
            other => other.kind().map(ErrorKind::fault),
        }
    }

    /// What may answer instead, if anything may.
    pub(crate) fn substitutes(&self) -> Substitutes {
        match self {
            // The function and the value are reads that are not from the cache.
            Self::Refused(ResilienceError::Refused { .. }) => Substitutes::Cached,
            // The function would add to the load.
            _ if self.kind() == Some(ErrorKind::Overloaded) => Substitutes::CachedOrValue,
            _ => Substitutes::All,
        }
    }

    /// The word for why a fallback answers, if it is not the kind of the error.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Refused(ResilienceError::Refused { reason, .. }) => Some(reason.as_str()),
            Self::Refused(ResilienceError::Overloaded { limit: limit @ LimitKind::Concurrency, .. }) => {
                Some(limit.as_str())
            }
            _ => None,
        }
    }

    /// The kind of the error, if a fallback may answer instead.
    pub(crate) fn falls_back(&self) -> Option<ErrorKind> {
        let failure = match self {
            Self::Answered(Meaning::Failed(Failed(failure))) => *failure,
            Self::Answered(_) => return None,
            Self::Refused(error) => Failure::of(error),
        };
        failure.falls_back.then_some(failure.kind)
    }
}
