//! The kinds of errors. The kind decides about retry, breaker, fallback, the text that the client reads and the level
//! of the log. Each column of the table is a `const fn`.

use std::fmt;
use std::str::FromStr;

/// The party that has to act before the same call can succeed.
///
/// ```
/// use resilient_runtime::ErrorKind;
/// use resilient_runtime::error::Fault;
///
/// assert_eq!(ErrorKind::NotFound.fault(), Fault::Caller);
/// assert_eq!(ErrorKind::Unavailable.fault(), Fault::Upstream);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller: with other arguments, or another order of steps.
    Caller,
    /// The operator of this server: credentials, quota.
    Operator,
    /// The service behind the tool.
    Upstream,
    /// A limit of this server, which works as intended.
    Guard,
    /// This server has a bug.
    Server,
    /// None: the call was cancelled.
    Nobody,
}

/// The urgency of an error for the operator of the server.
///
/// ```
/// use resilient_runtime::ErrorKind;
/// use resilient_runtime::error::Severity;
///
/// assert_eq!(ErrorKind::Unauthenticated.severity(), Severity::High);
/// assert!(Severity::High > Severity::Medium);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Expected in normal operation.
    Low,
    /// Worth a look if it is frequent.
    Medium,
    /// Needs a look today.
    High,
    /// A bug.
    Critical,
}

impl Severity {
    /// Returns the name used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kind of an error.
        ///
        /// | kind | fault | retried | trips the breaker | falls back | client sees the error's own text | severity |
        /// |---|---|---|---|---|---|---|
        /// | `invalid_input` | caller | – | – | – | yes | low |
        /// | `not_found` | caller | – | – | – | yes | low |
        /// | `conflict` | caller | – | – | – | yes | low |
        /// | `failed_precondition` | caller | – | – | – | yes | low |
        /// | `permission_denied` | caller | – | – | – | – | medium |
        /// | `unauthenticated` | operator | – | – | – | – | high |
        /// | `quota_exceeded` | operator | – | – | yes | – | high |
        /// | `rate_limited` | upstream | yes | – | yes | – | medium |
        /// | `timeout` | upstream | yes | yes | yes | – | medium |
        /// | `connection` | upstream | yes | yes | yes | – | high |
        /// | `unavailable` | upstream | yes | yes | yes | – | high |
        /// | `bad_response` | upstream | – | yes | yes | – | medium |
        /// | `circuit_open` | guard | – | – | yes | yes | medium |
        /// | `overloaded` | guard | – | – | yes | yes | medium |
        /// | `read_only` | guard | – | – | yes | yes | low |
        /// | `cancelled` | – | – | – | – | yes | low |
        /// | `internal` | server | – | – | – | – | critical |
        ///
        /// A kind that does not trip the breaker is neutral for it: the error does not count as a failure, and it does
        /// not reset the count of failures.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorKind {
            /// All kinds, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The names of all kinds, in the order of the table.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            /// Returns the name used in attributes, answers, logs and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns the name of the variant, for generated code.
            #[doc(hidden)]
            #[must_use]
            pub const fn variant_name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }
        }
    };
}

kinds! {
    /// The arguments are wrong. HTTP 400, 422 and any 4xx without a separate kind.
    InvalidInput = "invalid_input",
    /// Something that the arguments refer to does not exist. HTTP 404, 410.
    NotFound = "not_found",
    /// The state changed in the meantime. HTTP 409, 412.
    Conflict = "conflict",
    /// Another step has to come first. HTTP 428.
    FailedPrecondition = "failed_precondition",
    /// The caller may not do this. HTTP 403.
    PermissionDenied = "permission_denied",
    /// The credentials of this server are missing or wrong. HTTP 401.
    Unauthenticated = "unauthenticated",
    /// A paid or daily allowance is used up. HTTP 402.
    QuotaExceeded = "quota_exceeded",
    /// The upstream asks for fewer requests. HTTP 429.
    RateLimited = "rate_limited",
    /// The upstream did not answer in time. HTTP 408, 504.
    Timeout = "timeout",
    /// The connection failed or broke.
    Connection = "connection",
    /// The upstream is reachable but cannot serve. HTTP 425, 500, 502, 503 and any 5xx without a separate kind.
    Unavailable = "unavailable",
    /// The upstream sent an unusable answer. HTTP 501, 505 and 3xx.
    BadResponse = "bad_response",
    /// A breaker is open. The request was not sent to the upstream.
    CircuitOpen = "circuit_open",
    /// A limit of this server is reached. The request was not sent to the upstream.
    Overloaded = "overloaded",
    /// This server rejects writes at the moment.
    ReadOnly = "read_only",
    /// The client cancelled the call. HTTP 499.
    Cancelled = "cancelled",
    /// This server has a bug, for example a panic.
    Internal = "internal",
}

impl ErrorKind {
    /// Returns the party that has to act.
    #[must_use]
    pub const fn fault(self) -> Fault {
        match self {
            Self::InvalidInput
            | Self::NotFound
            | Self::Conflict
            | Self::FailedPrecondition
            | Self::PermissionDenied => Fault::Caller,
            Self::Unauthenticated | Self::QuotaExceeded => Fault::Operator,
            Self::RateLimited | Self::Timeout | Self::Connection | Self::Unavailable | Self::BadResponse => {
                Fault::Upstream
            }
            Self::CircuitOpen | Self::Overloaded | Self::ReadOnly => Fault::Guard,
            Self::Cancelled => Fault::Nobody,
            Self::Internal => Fault::Server,
        }
    }

    /// Returns whether the same call may succeed a little later, so that `retry` repeats it.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Timeout | Self::Connection | Self::Unavailable)
    }

    /// Returns whether the error counts as a failure for a breaker.
    #[must_use]
    pub const fn trips_breaker(self) -> bool {
        matches!(self, Self::Timeout | Self::Connection | Self::Unavailable | Self::BadResponse)
    }

    /// Returns whether a fallback may answer instead.
    #[must_use]
    pub const fn falls_back(self) -> bool {
        matches!(
            self,
            Self::QuotaExceeded
                | Self::RateLimited
                | Self::Timeout
                | Self::Connection
                | Self::Unavailable
                | Self::BadResponse
                | Self::CircuitOpen
                | Self::Overloaded
                | Self::ReadOnly
        )
    }

    /// Returns whether the client may read the error's own `Display` text.
    #[must_use]
    pub const fn is_public(self) -> bool {
        matches!(
            self,
            Self::InvalidInput
                | Self::NotFound
                | Self::Conflict
                | Self::FailedPrecondition
                | Self::CircuitOpen
                | Self::Overloaded
                | Self::ReadOnly
                | Self::Cancelled
        )
    }

    /// Returns whether the effect of the request is unknown: it may have been carried out although there is no usable
    /// answer.
    ///
    /// ```
    /// use resilient_policy::ErrorKind;
    ///
    /// assert!(ErrorKind::Timeout.leaves_effect_open());
    /// assert!(!ErrorKind::RateLimited.leaves_effect_open());
    /// ```
    #[must_use]
    pub const fn leaves_effect_open(self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::Connection | Self::Unavailable | Self::BadResponse | Self::Cancelled | Self::Internal
        )
    }

    /// Returns the urgency for the operator of the server.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::InvalidInput
            | Self::NotFound
            | Self::Conflict
            | Self::FailedPrecondition
            | Self::ReadOnly
            | Self::Cancelled => Severity::Low,
            Self::PermissionDenied
            | Self::RateLimited
            | Self::Timeout
            | Self::BadResponse
            | Self::CircuitOpen
            | Self::Overloaded => Severity::Medium,
            Self::Unauthenticated | Self::QuotaExceeded | Self::Connection | Self::Unavailable => Severity::High,
            Self::Internal => Severity::Critical,
        }
    }

    /// Returns the kind of an HTTP status that is not a success. A status outside of 300..=599 is a
    /// [`BadResponse`](Self::BadResponse).
    #[must_use]
    pub const fn from_http_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            402 => Self::QuotaExceeded,
            403 => Self::PermissionDenied,
            404 | 410 => Self::NotFound,
            408 | 504 => Self::Timeout,
            409 | 412 => Self::Conflict,
            428 => Self::FailedPrecondition,
            429 => Self::RateLimited,
            499 => Self::Cancelled,
            425 | 500 | 502 | 503 | 506..=599 => Self::Unavailable,
            400..=498 => Self::InvalidInput,
            // 501, 505, 3xx, and statuses that are not failures.
            _ => Self::BadResponse,
        }
    }

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
            Self::Cancelled => "Call again if the answer is still needed.",
            Self::Internal => "Do not repeat the call; report it with the correlation id.",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error for a word that does not name an [`ErrorKind`].
///
/// ```
/// let error = "unavailble".parse::<resilient_policy::ErrorKind>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown kind `unavailble`; did you mean `unavailable`?");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseKindError(String);

impl fmt::Display for ParseKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown kind `{}`{}", self.0, crate::one_of(&self.0, ErrorKind::NAMES))
    }
}

impl std::error::Error for ParseKindError {}

impl ErrorKind {
    /// Returns the kind for a name from HTTP or gRPC, in lower case with `_`.
    ///
    /// ```
    /// use resilient_runtime::ErrorKind;
    ///
    /// assert_eq!(ErrorKind::from_foreign_name("bad_request"), Some(ErrorKind::InvalidInput));
    /// assert_eq!(ErrorKind::from_foreign_name("banana"), None);
    /// ```
    #[must_use]
    pub fn from_foreign_name(name: &str) -> Option<Self> {
        Some(match name {
            "bad_request"
            | "invalid_argument"
            | "invalid_arguments"
            | "invalid_params"
            | "invalid_request"
            | "unprocessable"
            | "unprocessable_entity"
            | "unprocessable_content"
            | "validation"
            | "out_of_range" => Self::InvalidInput,
            "gone" | "missing" | "no_such" => Self::NotFound,
            "already_exists" | "aborted" | "precondition_failed" => Self::Conflict,
            "precondition_required" => Self::FailedPrecondition,
            "forbidden" | "access_denied" | "not_allowed" => Self::PermissionDenied,
            "unauthorized" | "unauthorised" => Self::Unauthenticated,
            "payment_required" => Self::QuotaExceeded,
            "too_many_requests" | "throttled" | "resource_exhausted" => Self::RateLimited,
            "request_timeout" | "gateway_timeout" | "deadline_exceeded" | "timed_out" => Self::Timeout,
            "network" | "connect" | "connection_refused" | "connection_reset" => Self::Connection,
            "internal_server_error" | "server_error" | "bad_gateway" | "service_unavailable" => Self::Unavailable,
            "not_implemented" | "unimplemented" | "data_loss" | "invalid_response" => Self::BadResponse,
            "client_closed_request" | "canceled" => Self::Cancelled,
            "bug" | "panic" => Self::Internal,
            _ => return None,
        })
    }
}

impl FromStr for ErrorKind {
    type Err = ParseKindError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word).ok_or_else(|| ParseKindError(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_unknown_ones_get_a_suggestion() {
        for kind in ErrorKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        let said = "rate_limit".parse::<ErrorKind>().expect_err("no kind").to_string();
        assert_eq!(said, "unknown kind `rate_limit`; did you mean `rate_limited`?");
    }

    #[test]
    fn http_statuses_are_sorted_by_who_has_to_act() {
        for (status, kind) in [
            (400, "invalid_input"),
            (401, "unauthenticated"),
            (402, "quota_exceeded"),
            (403, "permission_denied"),
            (404, "not_found"),
            (408, "timeout"),
            (409, "conflict"),
            (410, "not_found"),
            (412, "conflict"),
            (418, "invalid_input"),
            (422, "invalid_input"),
            (425, "unavailable"),
            (428, "failed_precondition"),
            (429, "rate_limited"),
            (499, "cancelled"),
            (500, "unavailable"),
            (501, "bad_response"),
            (502, "unavailable"),
            (503, "unavailable"),
            (504, "timeout"),
            (505, "bad_response"),
            (507, "unavailable"),
            (302, "bad_response"),
            (200, "bad_response"),
            (777, "bad_response"),
        ] {
            assert_eq!(ErrorKind::from_http_status(status).as_str(), kind, "{status}");
        }
    }
}
