//! The result of a run of the body, as the calls that share it get it.

use std::time::Duration;

use super::Shared;
use crate::answer::Meaning;
use crate::context::Records;
use crate::error::{ResilienceError, SharedError};

/// What a leader shares with its followers.
pub(crate) struct Landing {
    pub(crate) landed: Landed,
    pub(crate) reported: Reported,
    pub(crate) records: Records,
}

/// The answer of a leader.
pub(crate) enum Landed {
    /// A value of the function, and its meaning.
    Value(Shared, Meaning),
    /// An error of the function, which can be cloned, and its meaning.
    Error(Shared, Meaning),
    /// An error that cannot be cloned.
    Described(SharedError),
    /// The pipeline ended the run.
    Refused(ResilienceError),
    /// The answer is for the leader alone, such as a question to its client: each follower runs the body.
    Nothing,
}

/// What the report of the leader's call has for its client, besides the answer.
#[derive(Default)]
pub(crate) struct Reported {
    pub(crate) warnings: Box<[String]>,
    /// The age of the answer, if it is a kept one.
    pub(crate) kept: Option<Duration>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) reason: Option<&'static str>,
}
