//! Errors of Redis, and what they mean for a store.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use resilient_runtime::deferred::{StoreError, StoreErrorKind};

use crate::link::{describe, is_unsent};

/// Why something could not be done.
#[derive(Debug)]
pub(super) enum Fault {
    /// An error of Redis or of its connection.
    Redis(RedisError),
    /// Redis did not answer in time.
    Late,
    /// Another client changed an entry meanwhile; nothing has changed. Read it again.
    Conflict,
    /// The database was emptied or replaced; nothing has changed. Read the identity of the store again.
    OtherStore,
    /// Data that this crate did not write.
    Row(&'static str),
    /// An error of the store itself, such as a bound.
    Store(StoreErrorKind, String),
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl Fault {
    pub(super) fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Redis(error) => kind_of(error),
            Self::Late => StoreErrorKind::Unavailable,
            Self::Conflict | Self::OtherStore => StoreErrorKind::Busy,
            Self::Row(_) => StoreErrorKind::Corrupt,
            Self::Store(kind, _) => *kind,
        }
    }

    /// Returns whether a change that was requested may have happened, or may still happen.
    pub(super) fn is_uncertain(&self) -> bool {
        match self {
            Self::Late => true,
            Self::Redis(error) => match error.kind() {
                ErrorKind::Server(_)
                | ErrorKind::Extension
                | ErrorKind::InvalidClientConfig
                | ErrorKind::AuthenticationFailed => false,
                _ => !is_unsent(error),
            },
            _ => false,
        }
    }
}

fn kind_of(error: &RedisError) -> StoreErrorKind {
    // What a script receives as an error has the code of the error.
    match (error.kind(), error.code()) {
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) | (_, Some("MISCONF" | "NOREPLICAS")) => {
            StoreErrorKind::ReadOnly
        }
        (_, Some("OOM")) => StoreErrorKind::Full,
        (_, Some("BUSY")) => StoreErrorKind::Busy,
        (_, Some("WRONGTYPE")) => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Unavailable,
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let kind = fault.kind();
        let message = match kind {
            StoreErrorKind::Busy => "other clients of Redis block the deferred writes",
            StoreErrorKind::ReadOnly => "Redis accepts no writes",
            StoreErrorKind::Full => "there is no space left in Redis for deferred writes",
            StoreErrorKind::Corrupt => "the deferred writes in Redis are corrupt",
            _ => "Redis cannot be used for deferred writes",
        };
        match fault {
            Fault::Redis(error) => Self::new(kind, format!("{message}: {}", describe(&error))).caused_by(error),
            Fault::Late => Self::new(kind, format!("{message}: it did not answer in time")),
            Fault::Row(what) => Self::new(kind, format!("{message}: {what}")),
            Fault::Store(kind, message) => Self::new(kind, message),
            Fault::Conflict | Fault::OtherStore => Self::new(kind, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use redis::make_extension_error;

    use super::*;

    fn kind(code: &str) -> StoreErrorKind {
        Fault::from(make_extension_error(code.to_owned(), None)).kind()
    }

    #[test]
    fn errors_of_redis_have_the_kind_of_what_they_prevent() {
        assert_eq!(kind("OOM"), StoreErrorKind::Full);
        assert_eq!(kind("MISCONF"), StoreErrorKind::ReadOnly);
        assert_eq!(kind("NOREPLICAS"), StoreErrorKind::ReadOnly);
        assert_eq!(kind("BUSY"), StoreErrorKind::Busy);
        assert_eq!(kind("WRONGTYPE"), StoreErrorKind::Corrupt);
        assert_eq!(kind("ANYTHING"), StoreErrorKind::Unavailable);
        assert_eq!(Fault::Row("").kind(), StoreErrorKind::Corrupt);
    }

    #[test]
    fn only_an_answer_makes_sure_that_nothing_happened_to_a_request_that_was_sent() {
        let failed = |kind: io::ErrorKind| Fault::from(RedisError::from(io::Error::from(kind)));
        assert!(!Fault::from(make_extension_error("OOM".to_owned(), None)).is_uncertain());
        let unsent = (ErrorKind::Io, "Redis cannot be reached", "connection refused".to_owned());
        assert!(!Fault::from(RedisError::from(unsent)).is_uncertain());
        assert!(failed(io::ErrorKind::TimedOut).is_uncertain());
        assert!(failed(io::ErrorKind::BrokenPipe).is_uncertain());
        assert!(Fault::Late.is_uncertain());
        assert!(!Fault::Conflict.is_uncertain());
    }
}
