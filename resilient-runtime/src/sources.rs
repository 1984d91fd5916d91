//! Classifies errors of unknown type, such as those in an `anyhow::Error`, by their sources.

use std::error::Error;
use std::io;
use std::time::Duration;

use resilient_policy::ErrorKind;

use crate::classify::{Classify, StatusError, io_kind};
use crate::error::ResilienceError;

/// The maximum number of errors that are examined in one chain of sources.
const MOST: usize = 64;

/// The classification that [`classify`] found among the sources of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    kind: ErrorKind,
    retry_after: Option<Duration>,
}

impl Classified {
    fn of(error: &impl Classify) -> Self {
        Self { kind: error.kind(), retry_after: error.retry_after() }
    }
}

impl Classify for Classified {
    fn kind(&self) -> ErrorKind {
        self.kind
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// Classifies an error by the first of its sources whose type is known, starting with the error itself.
///
/// Known types are [`StatusError`], [`ResilienceError`], `std::io::Error`, and `reqwest::Error` with the feature
/// `reqwest` (reqwest 0.13) or `reqwest-012` (reqwest 0.12). Returns `None` if none of the first 64 sources has one of
/// these types. Texts such as `"upstream: 503"` are not interpreted, so carry a status as a [`StatusError`]. An
/// `io::Error` that is [`Internal`](ErrorKind::Internal) counts as known.
///
/// ```
/// use std::io;
/// use resilient_runtime::{Classify, ErrorKind};
/// use resilient_runtime::classify::StatusError;
/// use resilient_runtime::sources::classify;
///
/// let error: Box<dyn std::error::Error> = Box::new(io::Error::from(io::ErrorKind::ConnectionReset));
/// assert_eq!(classify(&*error).map(|found| found.kind()), Some(ErrorKind::Connection));
///
/// let error = anyhow::Error::new(StatusError::new(503_u16)).context("cannot list the orders");
/// assert_eq!(classify(&*error).map(|found| found.kind()), Some(ErrorKind::Unavailable));
///
/// assert_eq!(classify(&*anyhow::anyhow!("upstream: 503")), None);
/// ```
#[must_use]
pub fn classify(error: &(dyn Error + 'static)) -> Option<Classified> {
    let mut next = Some(error);
    for _ in 0..MOST {
        let error = next?;
        if let Some(known) = known(error) {
            return Some(known);
        }
        // An `io::Error` skips the error that it wraps and returns that error's source.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

fn known(error: &(dyn Error + 'static)) -> Option<Classified> {
    if let Some(io) = error.downcast_ref::<io::Error>() {
        // If the error wraps another one and has no kind of interest itself, the caller examines the inner error.
        let internal = io.get_ref().is_none().then_some(ErrorKind::Internal);
        return io_kind(io).or(internal).map(|kind| Classified { kind, retry_after: None });
    }
    #[cfg(feature = "reqwest")]
    if let Some(known) = error.downcast_ref::<reqwest::Error>() {
        return Some(Classified::of(known));
    }
    #[cfg(feature = "reqwest-012")]
    if let Some(known) = error.downcast_ref::<reqwest_012::Error>() {
        return Some(Classified::of(known));
    }
    let status = error.downcast_ref::<StatusError>().map(Classified::of);
    status.or_else(|| error.downcast_ref::<ResilienceError>().map(Classified::of))
}

/// Errors of sockets and of name resolution are [`Connection`](ErrorKind::Connection) or
/// [`Timeout`](ErrorKind::Timeout); invalid data is [`BadResponse`](ErrorKind::BadResponse). Errors of this machine's
/// files and memory are [`Internal`](ErrorKind::Internal). An error that only wraps another one has the kind of the
/// inner error.
impl Classify for io::Error {
    fn kind(&self) -> ErrorKind {
        io_kind(self).unwrap_or_else(|| {
            self.get_ref().and_then(|inner| classify(inner)).map_or(ErrorKind::Internal, |inner| inner.kind())
        })
    }

    fn retry_after(&self) -> Option<Duration> {
        self.get_ref().and_then(|inner| classify(inner))?.retry_after()
    }

    fn was_not_performed(&self) -> bool {
        // These errors occur only while connecting, before anything is sent.
        matches!(self.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable)
    }
}
