//! `Classify`: the kind of a foreign error, and the delay that its sender requests.

mod foreign;
mod status;

use std::time::{Duration, SystemTime};

use resilient_policy::ErrorKind;

pub(crate) use foreign::io_kind;
pub use status::StatusError;

/// Assigns an [`ErrorKind`] to an error.
///
/// Implemented for HTTP statuses, [`StatusError`], `std::io::Error`, `reqwest::Error` (feature `reqwest` for reqwest
/// 0.13, `reqwest-012` for reqwest 0.12), `rmcp::ErrorData` and `rmcp::ServiceError` (feature `rmcp`) and every type
/// that derives [`McpError`](derive@crate::McpError). A variant with a `#[mcp(classify)]` field gets its kind from that
/// field. For errors of unknown type, such as those in an `anyhow::Error`, use [`classify`](crate::sources::classify).
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::{Classify, ErrorKind};
///
/// /// An error of a database driver.
/// enum DbError {
///     Busy { ms: u64 },
///     Syntax,
/// }
///
/// impl Classify for DbError {
///     fn kind(&self) -> ErrorKind {
///         match self {
///             Self::Busy { .. } => ErrorKind::Unavailable,
///             Self::Syntax => ErrorKind::Internal,
///         }
///     }
///
///     fn retry_after(&self) -> Option<Duration> {
///         match self {
///             Self::Busy { ms } => Some(Duration::from_millis(*ms)),
///             Self::Syntax => None,
///         }
///     }
/// }
///
/// assert!(DbError::Busy { ms: 50 }.kind().is_retryable());
/// assert!(!DbError::Syntax.kind().is_retryable());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which kind of error it is",
    label = "this type does not implement `Classify`",
    note = "for `reqwest::Error`, turn on the feature `reqwest` (reqwest 0.13) or `reqwest-012` (reqwest 0.12) of `resilient-runtime`",
    note = "for a type of your crate, implement `resilient_runtime::Classify`; for any other, say `#[mcp(kind = ..)]` on the variant"
)]
pub trait Classify {
    /// Returns the kind, which determines retries, the breaker, the fallback and the text for the client.
    fn kind(&self) -> ErrorKind;

    /// Returns how long the sender requested to wait. Default: `None`. Values above [`LONGEST_RETRY_AFTER`] are reduced
    /// to it.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// Returns whether the request was certainly not performed because it was never sent, for example after a refused
    /// connection. Default: `false`, which means unknown.
    ///
    /// After a call that may not be repeated, the client reads "It may have taken effect; check before repeating it."
    /// if the kind [leaves the effect open](ErrorKind::leaves_effect_open) and this is `false`.
    fn was_not_performed(&self) -> bool {
        false
    }
}

impl<T: Classify + ?Sized> Classify for &T {
    fn kind(&self) -> ErrorKind {
        (**self).kind()
    }

    fn retry_after(&self) -> Option<Duration> {
        (**self).retry_after()
    }

    fn was_not_performed(&self) -> bool {
        (**self).was_not_performed()
    }
}

impl<T: Classify + ?Sized> Classify for Box<T> {
    fn kind(&self) -> ErrorKind {
        (**self).kind()
    }

    fn retry_after(&self) -> Option<Duration> {
        (**self).retry_after()
    }

    fn was_not_performed(&self) -> bool {
        (**self).was_not_performed()
    }
}

impl Classify for http::StatusCode {
    fn kind(&self) -> ErrorKind {
        ErrorKind::from_http_status(self.as_u16())
    }
}

/// A type that contains an HTTP status, for `#[mcp(status)]` fields.
///
/// ```
/// use resilient_runtime::ErrorKind;
/// use resilient_runtime::classify::HttpStatus;
///
/// fn kind(status: impl HttpStatus) -> ErrorKind {
///     ErrorKind::from_http_status(status.code())
/// }
/// assert_eq!(kind(429_u16), ErrorKind::RateLimited);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no HTTP status",
    label = "`#[mcp(status)]` needs `u16` or `http::StatusCode`"
)]
pub trait HttpStatus {
    /// Returns the status code, 100 to 599 if the upstream follows the protocol.
    fn code(&self) -> u16;
}

impl HttpStatus for u16 {
    fn code(&self) -> u16 {
        *self
    }
}

impl HttpStatus for http::StatusCode {
    fn code(&self) -> u16 {
        self.as_u16()
    }
}

impl<T: HttpStatus + ?Sized> HttpStatus for &T {
    fn code(&self) -> u16 {
        (**self).code()
    }
}

/// The maximum wait that an upstream can request; longer ones are reduced to it.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Parses the value of a `Retry-After` header: whole seconds or an HTTP date (RFC 9110 §10.2.3).
///
/// Returns zero for a date in the past and `None` for an invalid value. The result is at most [`LONGEST_RETRY_AFTER`].
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::classify::{LONGEST_RETRY_AFTER, parse_retry_after};
///
/// assert_eq!(parse_retry_after("30"), Some(Duration::from_secs(30)));
/// assert_eq!(parse_retry_after("Fri, 01 Jan 2021 00:00:00 GMT"), Some(Duration::ZERO));
/// assert_eq!(parse_retry_after("999999"), Some(LONGEST_RETRY_AFTER));
/// assert_eq!(parse_retry_after("soon"), None);
/// ```
#[must_use]
pub fn parse_retry_after(value: &str) -> Option<Duration> {
    parse_retry_after_at(value, SystemTime::now())
}

fn parse_retry_after_at(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // The value consists of digits, so it is too large for a `u64`.
        value.parse().map_or(LONGEST_RETRY_AFTER, Duration::from_secs)
    } else {
        httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sat, 21 Nov 2026 10:00:00 GMT").expect("a date");
        for (value, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("99999", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Sat, 21 Nov 2026 10:00:30 GMT", Some(30)),
            ("Sat, 21 Nov 2026 09:00:00 GMT", Some(0)),
            ("Sun, 21 Nov 2027 10:00:00 GMT", Some(3600)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(parse_retry_after_at(value, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }
}
