//! How the guarded part of a call can end, and what that means.

use resilient_policy::{ErrorKind, Fault};

use crate::answer::{Failed, Meaning};
use crate::error::{Failure, LimitKind, ResilienceError};
use crate::outcomes::{AttemptOutcome, Outcome};

/// How the guarded part of a call ended.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The body has an answer.
    Answered(Meaning),
    /// It has none, and this is why.
    Refused(ResilienceError),
}

impl Verdict {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(Meaning::Good | Meaning::Unfinished) => Outcome::Ok,
            Self::Answered(Meaning::OwnError | Meaning::Failed(_)) => Outcome::Error,
            Self::Refused(ResilienceError::Timeout { .. }) => Outcome::Timeout,
            Self::Refused(ResilienceError::CircuitOpen { .. } | ResilienceError::Overloaded { .. }) => {
                Outcome::Rejected
            }
            Self::Refused(ResilienceError::Cancelled) => Outcome::Cancelled,
            Self::Refused(ResilienceError::Panicked) => Outcome::Panic,
            #[cfg(feature = "testing")]
            Self::Refused(ResilienceError::Injected { .. }) => Outcome::Error,
        }
    }

    /// How an attempt ended that ended like this.
    pub(crate) fn of_attempt(&self) -> AttemptOutcome {
        match self {
            Self::Answered(Meaning::Good | Meaning::Unfinished) => AttemptOutcome::Ok,
            Self::Answered(Meaning::OwnError | Meaning::Failed(_)) => AttemptOutcome::Error,
            Self::Refused(ResilienceError::Timeout { .. }) => AttemptOutcome::Timeout,
            Self::Refused(ResilienceError::Panicked) => AttemptOutcome::Panic,
            Self::Refused(_) => AttemptOutcome::Cancelled,
        }
    }

    /// The kind of error that it is, if it is one that says so.
    pub(crate) fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Answered(Meaning::Failed(Failed(failure))) => Some(failure.kind),
            Self::Answered(_) => None,
            Self::Refused(error) => Some(Failure::of(error).kind),
        }
    }

    /// Whose fault it is, if it is an error that says so.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            // Such an answer is the tool's own, as the model asked for it.
            Self::Answered(Meaning::OwnError) => Some(Fault::Nobody),
            // Who calls too often says nothing about this server.
            Self::Refused(ResilienceError::Overloaded { limit: LimitKind::RateLimit, .. }) => Some(Fault::Caller),
            other => other.kind().map(ErrorKind::fault),
        }
    }

    /// The kind of error that something else may answer for.
    pub(crate) fn falls_back(&self) -> Option<ErrorKind> {
        let failure = match self {
            Self::Answered(Meaning::Failed(Failed(failure))) => *failure,
            Self::Answered(_) => return None,
            Self::Refused(error) => Failure::of(error),
        };
        failure.falls_back.then_some(failure.kind)
    }
}
