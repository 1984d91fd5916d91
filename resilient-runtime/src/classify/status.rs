//! An HTTP status as an error.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use resilient_policy::ErrorKind;

use super::{Classify, HttpStatus};

/// An unsuccessful HTTP status as an error that keeps the status and the delay that the sender requested.
///
/// For helpers that return `anyhow::Result` or `Box<dyn Error>`: [`classify`](fn@crate::sources::classify) finds it among the sources.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::{Classify, ErrorKind};
/// use resilient_runtime::classify::{StatusError, parse_retry_after};
///
/// let error = StatusError::new(503_u16).with_retry_after(parse_retry_after("3"));
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
/// assert_eq!(error.to_string(), "HTTP status 503");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusError {
    status: u16,
    retry_after: Option<Duration>,
}

impl StatusError {
    /// Creates the error of this status, without a requested delay.
    #[must_use]
    pub fn new(status: impl HttpStatus) -> Self {
        Self { status: status.code(), retry_after: None }
    }

    /// Sets the delay that the sender requested, such as the result of [`parse_retry_after`](crate::classify::parse_retry_after).
    #[must_use]
    pub const fn with_retry_after(self, wait: Option<Duration>) -> Self {
        Self { retry_after: wait, ..self }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}", self.status)
    }
}

impl Error for StatusError {}

impl Classify for StatusError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::from_http_status(self.status)
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
