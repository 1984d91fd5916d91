//! The sentences about a kind that clients read.

use super::ErrorKind;

impl ErrorKind {
    /// Returns the sentence that the client reads if the error's own text is private.
    #[must_use]
    pub const fn public_sentence(self) -> &'static str {
        match self {
            Self::InvalidInput => "the arguments were not accepted",
            Self::NotFound => "what was asked for does not exist",
            Self::Conflict => "the call conflicts with the current state",
            Self::FailedPrecondition => "another step has to come first",
            Self::PermissionDenied => "this is not permitted",
            Self::Unauthenticated => "this server's credentials for the service behind it were not accepted",
            Self::QuotaExceeded => "the quota of the service behind this tool is used up",
            Self::RateLimited => "the service behind this tool limits the rate of requests",
            Self::Timeout => "the service behind this tool did not answer in time",
            Self::Connection => "the service behind this tool could not be reached",
            Self::Unavailable => "the service behind this tool is unavailable at the moment",
            Self::BadResponse => "the service behind this tool gave an answer that could not be used",
            Self::CircuitOpen => "the service behind this tool has failed repeatedly and is not asked for the moment",
            Self::Overloaded => "this server has too much to do at the moment",
            Self::ReadOnly => "this server accepts no changes at the moment",
            Self::Disabled => "the operator of this server has switched this tool off",
            Self::Cancelled => "the call was cancelled",
            Self::Internal => "this server made a mistake",
        }
    }

    /// Returns the advice for the model.
    #[must_use]
    pub const fn default_hint(self) -> &'static str {
        match self {
            Self::InvalidInput => "Correct the arguments and call again.",
            Self::NotFound => "Check the identifier; list what exists first.",
            Self::Conflict => "Read the current state and try again with it.",
            Self::FailedPrecondition => "Find out which step is missing and do it first.",
            Self::PermissionDenied => "Do not repeat the call; ask the user for access or use another way.",
            Self::Unauthenticated => {
                "Do not repeat the call; the operator of this server has to renew its credentials."
            }
            Self::QuotaExceeded => "Do not repeat the call; the operator of this server has to extend the quota.",
            Self::RateLimited => "Call less often.",
            Self::Timeout => "Try again later, with a smaller request if that is possible.",
            Self::Connection | Self::Unavailable | Self::CircuitOpen | Self::Overloaded | Self::ReadOnly => {
                "Try again later, or continue without this tool."
            }
            Self::BadResponse => "Repeating the call is unlikely to help; continue without this tool.",
            Self::Disabled => "Do not repeat the call; continue without this tool, and tell the user.",
            Self::Cancelled => "Call again if the answer is still needed.",
            Self::Internal => "Do not repeat the call; report it with the correlation id.",
        }
    }
}
