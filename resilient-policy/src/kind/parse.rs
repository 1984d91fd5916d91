//! Returns the kind for a name or an HTTP status.

use std::fmt;
use std::str::FromStr;

use super::ErrorKind;
use crate::suggest::one_of;

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
        write!(f, "unknown kind `{}`{}", self.0, one_of(&self.0, ErrorKind::NAMES))
    }
}

impl std::error::Error for ParseKindError {}

impl ErrorKind {
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
