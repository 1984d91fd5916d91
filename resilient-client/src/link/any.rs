//! A link over any transport.

use std::sync::Arc;

use crate::command::Command;
use crate::config::Transport;
#[cfg(feature = "http")]
use crate::link::http::{Endpoint, HttpLink, InvalidEndpoint};
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
    /// A server in the process of a test.
    #[cfg(test)]
    Fake(Arc<crate::link::fake::Fake>),
}

impl Target {
    /// Returns whether the server is reached over HTTP, where each request has its own exchange.
    pub(crate) const fn is_remote(&self) -> bool {
        match self {
            Self::Command(_) => false,
            #[cfg(feature = "http")]
            Self::Http(_) => true,
            #[cfg(test)]
            Self::Fake(_) => false,
        }
    }
}

impl From<Command> for Target {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

/// The error for settings that lead to no server. Its text contains no value of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTarget(String);

impl TryFrom<&Transport> for Target {
    type Error = InvalidTarget;

    fn try_from(transport: &Transport) -> Result<Self, InvalidTarget> {
        match transport {
            Transport::Command(command) => Ok(Self::Command(command.clone())),
            #[cfg(feature = "http")]
            Transport::Http { url, headers } => {
                let failed = |error: InvalidEndpoint| InvalidTarget(error.to_string());
                let endpoint = Endpoint::new(url).map_err(failed)?;
                let with_header = |endpoint: Endpoint, (name, value): (&String, &String)| endpoint.header(name, value);
                headers.iter().try_fold(endpoint, with_header).map(Self::Http).map_err(failed)
            }
            #[cfg(not(feature = "http"))]
            Transport::Http { .. } => Err(InvalidTarget("servers over HTTP need the feature `http`".into())),
        }
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
    #[cfg(test)]
    Fake(crate::link::fake::FakeLink),
}

impl<R: Receive> Link<R> {
    pub(crate) fn open(target: &Target, receiver: Arc<R>) -> Result<Self, SendError> {
        match target {
            Target::Command(command) => {
                StdioLink::open(command, receiver).map(|link| Self::Stdio(link, std::marker::PhantomData))
            }
            #[cfg(feature = "http")]
            Target::Http(endpoint) => HttpLink::open(endpoint, receiver).map(Self::Http),
            #[cfg(test)]
            Target::Fake(fake) => crate::link::fake::FakeLink::open(fake, receiver).map(Self::Fake),
        }
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<(), SendError> {
        match self {
            Self::Stdio(link, _) => link.send(message).await,
            #[cfg(feature = "http")]
            Self::Http(link) => link.send(message).await,
            #[cfg(test)]
            Self::Fake(link) => link.send(message),
        }
    }

    /// Ends the process at once, also while a send is under way. Exchanges over HTTP end by themselves.
    pub(crate) fn kill(&self) {
        match self {
            Self::Stdio(link, _) => link.kill(),
            #[cfg(feature = "http")]
            Self::Http(_) => {}
            #[cfg(test)]
            Self::Fake(link) => link.close(),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Stdio(link, _) => link.close().await,
            #[cfg(feature = "http")]
            Self::Http(link) => link.close().await,
            #[cfg(test)]
            Self::Fake(link) => link.close(),
        }
    }
}
