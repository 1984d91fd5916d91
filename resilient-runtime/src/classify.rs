//! `Classify`: which kind a foreign error is, and when its sender wants to be asked again.

mod foreign;
mod status;

use std::time::{Duration, SystemTime};

use resilient_policy::ErrorKind;

pub(crate) use foreign::own_kind;
pub use status::StatusError;

/// Sorts an error into its [`ErrorKind`].
///
/// Implemented for HTTP statuses, [`StatusError`], `std::io::Error`, `reqwest::Error` (feature `reqwest` for
/// reqwest 0.13, `reqwest-012` for reqwest 0.12) and every type that derives
/// [`McpError`](derive@crate::McpError); a `#[mcp(classify)]` field asks it. For errors whose type is not
/// known, such as those in an `anyhow::Error`, there is [`classify`](fn@crate::classify).
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::{Classify, ErrorKind};
///
/// /// What a database driver says.
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
    /// The kind that decides about retry, breaker, fallback and what the client reads.
    fn kind(&self) -> ErrorKind;

    /// How long the sender asked to wait. Default: it did not say. More than [`LONGEST_RETRY_AFTER`] is
    /// treated as that.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// Whether it is certain that the request was not carried out, because it was never sent: a connection
    /// that was refused, for example. Default: `false`, which leaves it open.
    ///
    /// After a call that may not be repeated, the client reads "It may have taken effect; check before
    /// repeating it." if the kind [leaves the effect open](ErrorKind::leaves_effect_open) and this is `false`.
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

/// A type that holds an HTTP status, for `#[mcp(status)]` fields.
///
/// ```
/// use resilient_runtime::{ErrorKind, HttpStatus};
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
    /// The number, 100 to 599 if the upstream keeps to the protocol.
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

/// The longest wait that an upstream can ask for; a longer one is cut to it.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Reads the value of a `Retry-After` header: whole seconds or an HTTP date (RFC 9110 §10.2.3).
///
/// A date in the past is zero, anything that cannot be read is `None`, and no wait is longer than
/// [`LONGEST_RETRY_AFTER`].
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::{LONGEST_RETRY_AFTER, parse_retry_after};
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
        // More digits than fit are a long time all the same.
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
