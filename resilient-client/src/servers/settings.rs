//! The settings of a set of servers.

use std::time::Duration;

use crate::supervisor::SupervisorSettings;

/// How [`Servers`](crate::Servers) behave. The file may set another timeout for single servers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServersSettings {
    /// The name of your program, for the servers. Default: the name of this crate.
    pub client_name: String,
    /// The version of your program, for the servers.
    pub client_version: String,
    /// The timeout of a call, with its retries. Default 60 s.
    pub timeout: Duration,
    /// How long [`Servers::from_file`](crate::Servers::from_file), and a call of a tool that no server has listed yet, wait for servers that still
    /// start. Default 10 s.
    pub patience: Duration,
    /// How the connections are supervised.
    pub supervisor: SupervisorSettings,
}

impl Default for ServersSettings {
    fn default() -> Self {
        Self {
            client_name: env!("CARGO_PKG_NAME").into(),
            client_version: env!("CARGO_PKG_VERSION").into(),
            timeout: Duration::from_secs(60),
            patience: Duration::from_secs(10),
            supervisor: SupervisorSettings::default(),
        }
    }
}
