//! A link over any transport.

use std::sync::Arc;

use crate::command::Command;
#[cfg(feature = "http")]
use crate::link::http::{Endpoint, HttpLink};
use crate::link::stdio::StdioLink;
use crate::link::{Receive, SendError};
use crate::message::Message;

/// Where a server is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Target {
    /// A process that this one starts.
    Command(Command),
    /// A server over streamable HTTP.
    #[cfg(feature = "http")]
    Http(Endpoint),
}

impl From<Command> for Target {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

#[cfg(feature = "http")]
impl From<Endpoint> for Target {
    fn from(endpoint: Endpoint) -> Self {
        Self::Http(endpoint)
    }
}

/// A link to a [`Target`].
pub(crate) enum Link<R: Receive> {
    Stdio(StdioLink, std::marker::PhantomData<fn() -> R>),
    #[cfg(feature = "http")]
    Http(HttpLink<R>),
}

impl<R: Receive> Link<R> {
    pub(crate) fn open(target: &Target, receiver: Arc<R>) -> Result<Self, SendError> {
        match target {
            Target::Command(command) => {
                StdioLink::open(command, receiver).map(|link| Self::Stdio(link, std::marker::PhantomData))
            }
            #[cfg(feature = "http")]
            Target::Http(endpoint) => HttpLink::open(endpoint, receiver).map(Self::Http),
        }
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<(), SendError> {
        match self {
            Self::Stdio(link, _) => link.send(message).await,
            #[cfg(feature = "http")]
            Self::Http(link) => link.send(message).await,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Stdio(link, _) => link.close().await,
            #[cfg(feature = "http")]
            Self::Http(link) => link.close().await,
        }
    }
}
