//! The kinds of errors. The kind decides about retry, breaker, fallback, the text that the client reads and the level
//! of the log. Each column of the table of [`ErrorKind`] is a `const fn`.

mod parse;
mod set;
mod text;

use std::fmt;

pub use parse::ParseKindError;
pub use set::{KindSet, retried_kind};

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
#[non_exhaustive]
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
    None,
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
#[non_exhaustive]
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
        /// | `disabled` | operator | – | – | – | yes | low |
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
    /// The operator has switched off this tool, or a feature that it belongs to.
    Disabled = "disabled",
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
            Self::Unauthenticated | Self::QuotaExceeded | Self::Disabled => Fault::Operator,
            Self::RateLimited | Self::Timeout | Self::Connection | Self::Unavailable | Self::BadResponse => {
                Fault::Upstream
            }
            Self::CircuitOpen | Self::Overloaded | Self::ReadOnly => Fault::Guard,
            Self::Cancelled => Fault::None,
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

    /// Returns whether a write that fails in this way may be stored and delivered later: its dependency, or this server,
    /// could not serve it at the moment.
    ///
    /// ```
    /// use resilient_runtime::ErrorKind;
    ///
    /// assert!(ErrorKind::CircuitOpen.may_be_deferred());
    /// assert!(!ErrorKind::Conflict.may_be_deferred());
    /// ```
    #[must_use]
    pub const fn may_be_deferred(self) -> bool {
        matches!(
            self,
            Self::ReadOnly
                | Self::Overloaded
                | Self::CircuitOpen
                | Self::RateLimited
                | Self::Timeout
                | Self::Connection
                | Self::Unavailable
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
                | Self::Disabled
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
            | Self::Disabled
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
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
