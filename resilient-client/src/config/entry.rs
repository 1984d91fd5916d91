//! The settings of one server.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::command::{Command, Masked};
use crate::config::problem::ConfigError;
use crate::target::MaskedUrl;

/// One server of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerEntry {
    /// The name, which tools are prefixed with: `name__tool`.
    pub name: String,
    /// The settings, or why this server cannot be used, for example because a variable is not set. The other servers
    /// are not affected.
    pub server: Result<ServerSettings, ConfigError>,
}

/// The settings of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerSettings {
    /// How the server is reached.
    pub transport: Transport,
    /// Whether the annotations of its tools decide which calls may be repeated. Default: false.
    pub trust_annotations: bool,
    /// The timeout of a call, if the file sets one.
    pub timeout: Option<Duration>,
}

/// How a server is reached. `Debug` hides everything that may be a secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// A child process that talks over stdin and stdout.
    Command(Command),
    /// Streamable HTTP.
    Http {
        /// The URL of the endpoint.
        url: String,
        /// The headers of every request.
        headers: BTreeMap<String, String>,
    },
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => f.debug_tuple("Command").field(command).finish(),
            Self::Http { url, headers } => {
                f.debug_struct("Http").field("url", &MaskedUrl(url)).field("headers", &Masked(headers)).finish()
            }
        }
    }
}
