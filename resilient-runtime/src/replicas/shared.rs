//! What a store of the state that replicas share implements.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use resilient_policy::RateLimitSettings;

/// The future of a method of a [`SharedState`].
pub type SharedFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SharedError>> + Send + 'a>>;

/// State that all replicas of a server share.
///
/// # Contract
///
/// - **Optional**: a call waits at most 50 ms for a permit. Without an answer, the local limit decides. The caller may drop
///   a future at any time; what it requested may or may not happen.
/// - **Quick to fail**: the store never blocks the thread that polls it, and reconnects by itself.
/// - **One clock**: limits are measured by the clock of the store, so that clocks of replicas do not matter.
pub trait SharedState: Send + Sync + fmt::Debug + 'static {
    /// Takes a permit of a rate limit, if there is one.
    ///
    /// # Errors
    /// If the store cannot be reached.
    fn take<'a>(&'a self, request: &'a PermitRequest) -> SharedFuture<'a, Taken>;

    /// Publishes that a breaker of this replica has opened. [`openings`](Self::openings) returns the opening to all
    /// replicas for [`Opening::lasts`], or until a later opening of the same breaker replaces it.
    ///
    /// This time begins with the call, even if the request reaches the store late, because old news must not arm breakers.
    ///
    /// # Errors
    /// If the store cannot be reached.
    fn publish<'a>(&'a self, opening: &'a Opening) -> SharedFuture<'a, ()>;

    /// Returns the latest opening of each of these breakers, in the same order, or `None` for a breaker without news.
    ///
    /// This is one round trip. It is called once a second.
    ///
    /// # Errors
    /// If the store cannot be reached.
    fn openings<'a>(&'a self, breakers: &'a [&'static str]) -> SharedFuture<'a, Vec<Option<OpeningId>>>;

    /// Returns a secret that only the replicas know, the same in each. Values of `key = ..` are hashed with it, before they are
    /// passed to [`take`](Self::take).
    fn secret(&self) -> [u8; 16];

    /// Returns what is wrong with the settings of the store. The server does not start unless this is empty. Default:
    /// nothing.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }

    /// Begins to connect to the store, without waiting, so that a wrong password is logged early and the first call does
    /// not wait for the connection. The start of the server calls it in a Tokio runtime, if it succeeds. Default: does
    /// nothing.
    fn connect(&self) {}
}

/// A request for a permit of a rate limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermitRequest {
    /// The name of the limit.
    pub limit: &'static str,
    /// The hash of the partition key, if calls of different keys have separate limits.
    pub key: Option<u128>,
    /// The rate and the burst.
    pub settings: RateLimitSettings,
}

/// The answer to a [`PermitRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The call may run.
    Granted,
    /// There is no permit, and there will be one after this time unless another call takes it.
    Rejected {
        /// The time, by the clock of the store.
        retry_after: Duration,
    },
}

/// The news that a breaker has opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The name of the breaker.
    pub breaker: &'static str,
    /// Which opening it is.
    pub id: OpeningId,
    /// How long the breaker stays open, and at least 2 s, in which each replica reads the news.
    pub lasts: Duration,
}

/// Distinguishes an opening of a breaker from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpeningId {
    /// A random number of the replica.
    pub replica: u128,
    /// The number of the opening, which grows with each opening of the breaker in this replica.
    pub number: u64,
}

/// Why a request to the store failed. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedError(String);

impl SharedError {
    /// Creates the error from a text without secrets.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for SharedError {}
