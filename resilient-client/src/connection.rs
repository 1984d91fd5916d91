//! rmcp's client on a supervised connection.

mod events;
mod transport;

use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use resilient_runtime::ErrorKind;
use resilient_runtime::error::WireError;
use rmcp::service::{ClientInitializeError, RunningService};
use rmcp::{ClientHandler, RoleClient, ServiceExt};

use crate::call::CallSettings;
use crate::command::Command;
use crate::failure::Failure;
use crate::link::any::Target;
#[cfg(feature = "http")]
use crate::link::http::Endpoint;
use crate::supervisor::{ConnectionState, Supervisor, SupervisorSettings};
use events::ConnectionEvents;
pub use transport::SupervisedTransport;

/// A connection for rmcp's client, which survives restarts of its server.
///
/// The peer stays usable when the server process dies or the session ends: the connection comes back as
/// [`Supervisor`] describes, and repeats the handshake, the log level and the subscriptions. Calls of tools have a timeout and
/// a breaker, and are repeated where that is safe. If a call has no answer, its result has `isError`, and a text for the
/// model.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use resilient_client::{Command, Connection};
/// use rmcp::model::CallToolRequestParams;
///
/// let command = Command::new("npx").args(["-y", "@modelcontextprotocol/server-everything"]);
/// let client = Connection::stdio(command).name("everything").serve(()).await?;
/// let result = client.call_tool(CallToolRequestParams::new("echo")).await?;
/// # drop(result);
/// client.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a connection begins with `serve`"]
pub struct Connection {
    target: Target,
    name: String,
    calls: CallSettings,
    supervisor: SupervisorSettings,
}

impl Connection {
    /// Describes a connection to a process that this one starts. Its name is that of the program.
    pub fn stdio(command: Command) -> Self {
        let name = Path::new(&command.program).file_stem().map(|name| name.to_string_lossy().into_owned());
        Self::to(command.into(), name.unwrap_or_else(|| "server".into()))
    }

    /// Describes a connection to a server over streamable HTTP. Its name is the host.
    #[cfg(feature = "http")]
    pub fn http(endpoint: Endpoint) -> Self {
        let name = endpoint.host().to_owned();
        Self::to(endpoint.into(), name)
    }

    fn to(target: Target, name: String) -> Self {
        Self { target, name, calls: CallSettings::default(), supervisor: SupervisorSettings::default() }
    }

    /// Sets the name of the server, for texts, logs, breakers and metrics.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the timeout of a call, with its retries. Default 60 s.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.calls.timeout = timeout;
        self
    }

    /// Sets whether the annotations of the tools decide which calls may be repeated. Default: no, and no call that the
    /// server may have acted on is repeated.
    pub const fn trust_annotations(mut self, trust: bool) -> Self {
        self.calls.trust_annotations = trust;
        self
    }

    /// Sets how the connection is supervised.
    pub const fn supervisor(mut self, settings: SupervisorSettings) -> Self {
        self.supervisor = settings;
        self
    }

    /// Starts to connect, and returns the transport for rmcp. [`serve`](Self::serve) is shorter, if you need no other start
    /// of the protocol than `initialize`. Has to be called in a Tokio runtime.
    #[must_use]
    pub fn transport(mut self) -> SupervisedTransport {
        self.calls.prefix = format!("{}__", self.name);
        SupervisedTransport::start(&self.name, self.target, self.supervisor, self.calls)
    }

    /// Connects, and runs rmcp's client with this handler.
    ///
    /// # Errors
    /// [`Failure`], if the first attempt to connect fails or the server refuses the handshake. Later losses of the
    /// connection are no errors of the client.
    pub async fn serve<H: ClientHandler>(self, handler: H) -> Result<ConnectedClient<H>, Failure> {
        let transport = self.transport();
        let supervisor = transport.supervisor().clone();
        let service = handler.serve(transport).await.map_err(|error| failure(&error))?;
        Ok(ConnectedClient { service, supervisor })
    }
}

/// Reads why there is no client.
fn failure(error: &ClientInitializeError) -> Failure {
    let ClientInitializeError::JsonRpcError(error) = error else {
        return Failure::not_sent(ErrorKind::BadResponse, error.to_string());
    };
    let wire = error.data.as_ref().and_then(WireError::from_meta);
    let kind = wire.as_ref().map_or(ErrorKind::BadResponse, |wire| wire.kind);
    let mut failure = Failure::not_sent(kind, &*error.message);
    failure.retry_after = wire.and_then(|wire| wire.retry_after);
    failure
}

/// rmcp's client on a supervised connection. It derefs to the running service, and so to the peer.
///
/// Dropping it ends the connection in the background.
pub struct ConnectedClient<H: ClientHandler> {
    service: RunningService<RoleClient, H>,
    supervisor: Supervisor<ConnectionEvents>,
}

impl<H: ClientHandler> ConnectedClient<H> {
    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.supervisor.state()
    }

    /// Ends the client and the connection: the process exits within about two seconds, or is killed.
    pub async fn stop(self) {
        // Fails only if the task of the service has panicked.
        let _ = self.service.cancel().await;
        self.supervisor.stop().await;
    }
}

impl<H: ClientHandler> Deref for ConnectedClient<H> {
    type Target = RunningService<RoleClient, H>;

    fn deref(&self) -> &Self::Target {
        &self.service
    }
}

#[cfg(test)]
mod tests;
