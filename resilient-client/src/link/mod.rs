//! Links: one running server process, or one session with a server over HTTP.
//!
//! A link transports messages and knows nothing of their meaning, except what its transport demands. It never restarts:
//! once it is lost, the supervisor opens another one.

pub(crate) mod any;
#[cfg(test)]
pub(crate) mod fake;
#[cfg(feature = "http")]
pub(crate) mod http;
pub(crate) mod stdio;

use std::pin::Pin;
use std::time::Duration;

use crate::message::Message;

/// What a link has received.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message of the server.
    Message(Message),
    /// Something that is not a message: its first bytes, and how many bytes it had.
    Junk { start: Vec<u8>, bytes: usize },
    /// A message that is too long: its first and its last bytes, and how many bytes it had.
    TooLong { start: Vec<u8>, end: Vec<u8>, bytes: usize },
    /// The link is lost, and nothing more will be received. The text says why, for people.
    Lost(String),
}

/// Receives what a link has received, in order. The link waits for each future, so a slow receiver slows the server down.
pub(crate) trait Receive: Send + Sync + 'static {
    /// Takes one event.
    fn receive(&self, event: Received) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SendError {
    /// What happened, for people and for models.
    pub(crate) message: String,
    pub(crate) reason: Reason,
    /// Whether the server has certainly not processed the message.
    pub(crate) is_unprocessed: bool,
    /// How long the server asked to wait.
    pub(crate) retry_after: Option<Duration>,
}

/// The class of a [`SendError`].
#[cfg_attr(not(feature = "http"), expect(dead_code, reason = "processes have no statuses of HTTP"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The link is lost, or was lost while the message was under way.
    Lost,
    /// The server ended the session: HTTP status 404 for a known session.
    SessionEnded,
    /// The server asked for credentials or refused them: HTTP status 401 or 403.
    Unauthorized,
    /// The server asked to slow down: HTTP status 429.
    TooManyRequests,
    /// The server is not available: HTTP status 502, 503 or 504.
    Unavailable,
    /// Any other answer that is not part of the protocol.
    Unexpected,
}
