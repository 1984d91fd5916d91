//! Several servers: their tools, calls with alternatives, and their health.

mod choice;
mod events;
mod outcome;
mod record;
mod server;
mod settings;
mod tools;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use resilient_policy::Effect;
use resilient_runtime::{Classify, ErrorKind, ToolError};
use serde_json::{Map, Value};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::call::CallError;
use crate::config::{Config, ConfigError};
use crate::failure::Failure;
use choice::{Choice, choose};
pub use outcome::CallToolOutcome;
pub use record::{ServerError, ServerHealth, ServerState};
use server::Server;
pub use settings::ServersSettings;
pub use tools::ListedTool;
use tools::full_name;

/// The servers of a client, as one set of tools.
///
/// Each server has its own supervised connection. One that cannot start does not stop the others: calls of its tools
/// say why they fail, and its health does. The lists of tools are read again after a reconnect and when a server says
/// that its list has changed.
///
/// Clones share the servers. Dropping the last one kills the processes; [`stop`](Self::stop) ends them in order.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use resilient_client::Servers;
/// use serde_json::json;
///
/// let servers = Servers::from_file("mcp_servers.json").await?;
/// let arguments = json!({ "query": "circuit breaker" }).as_object().cloned().unwrap_or_default();
/// let text = match servers.call("search__web", arguments).await {
///     Ok(outcome) => outcome.text_for_model(),
///     Err(error) => error.text_for_model(),
/// };
/// # drop(text);
/// servers.stop().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Servers(Arc<All>);

struct All {
    servers: Vec<Arc<Server>>,
    alternatives: BTreeMap<String, Vec<String>>,
    patience: Duration,
    /// Ends the tasks of the servers.
    _stop: DropGuard,
}

impl Servers {
    /// Reads a file in the format of [`Config`], with the environment variables of this process, starts its servers,
    /// and waits until each has listed its tools or cannot be reached, but at most [`ServersSettings::patience`].
    ///
    /// # Errors
    /// [`ConfigError`], if the file cannot be read. A problem of one server, such as a variable that is not set, makes
    /// only that server unusable.
    pub async fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let config = Config::read(path.as_ref(), |name| std::env::var_os(name))?;
        let servers = Self::new(config);
        servers.settled().await;
        Ok(servers)
    }

    /// Starts servers in the background, with default settings. Has to be called in a Tokio runtime.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::start(config, &ServersSettings::default())
    }

    /// Starts servers in the background. Has to be called in a Tokio runtime.
    #[must_use]
    pub fn start(config: Config, settings: &ServersSettings) -> Self {
        let stop = CancellationToken::new();
        let servers = config.servers.into_iter().map(|entry| Server::start(entry, settings, &stop)).collect();
        Self::of(servers, config.alternatives, settings.patience, stop)
    }

    fn of(
        servers: Vec<Arc<Server>>,
        alternatives: BTreeMap<String, Vec<String>>,
        patience: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(All { servers, alternatives, patience, _stop: stop.drop_guard() }))
    }

    /// Waits until each server has listed its tools or cannot be reached, but at most [`ServersSettings::patience`].
    pub async fn settled(&self) {
        let all = async {
            for server in &self.0.servers {
                server.settled().await;
            }
        };
        let _ = tokio::time::timeout(self.0.patience, all).await;
    }

    /// Returns all tools that are known, by server. A server that is down keeps the tools that it had.
    #[must_use]
    pub fn tools(&self) -> Vec<ListedTool> {
        self.0.servers.iter().flat_map(|server| server.tools().to_vec()).collect()
    }

    /// Returns the state of each server, in the order of the file.
    #[must_use]
    pub fn health(&self) -> Vec<ServerHealth> {
        self.0.servers.iter().map(|server| server.health()).collect()
    }

    /// Calls a tool: `server__tool`, or the name of a tool that only one server has.
    ///
    /// The call has a timeout. It is repeated only if nothing was done, or the tool is known to read or to be idempotent.
    /// Its [alternatives](Config::alternatives) are tried only if nothing was done, or the tool is known to read: an
    /// idempotent write at another server is a second write. They are tried if the tool was not available:
    /// after a timeout, a lost connection, an open breaker, a rate limit, an overload, or if no server has it.
    /// [`CallToolOutcome::answered_by`] says which tool answered. Dropping the future cancels the call.
    ///
    /// # Errors
    /// [`CallError`], if no tool answered. A result with `isError` is not an error.
    pub async fn call(&self, tool: &str, arguments: Map<String, Value>) -> Result<CallToolOutcome, CallError> {
        let (first, names) = match self.call_one(tool, &arguments).await {
            Called::Answered(outcome) => return Ok(outcome),
            Called::Failed(error, names) => (error, names),
        };
        let mut failed = Vec::new();
        let listed = names.iter().find_map(|name| self.0.alternatives.get(name));
        for other in listed.into_iter().flatten().filter(|_| may_try_another(&first)) {
            tracing::info!(event = "call.alternative", tool, alternative = other.as_str());
            match self.call_one(other, &arguments).await {
                Called::Answered(outcome) => return Ok(outcome.instead_of(tool)),
                Called::Failed(error, names) => {
                    let answered_by = names.first().map_or(other.as_str(), String::as_str);
                    // What has answered or may have done something is the outcome.
                    if let Some(outcome) = own_result(&error, answered_by).filter(|_| !may_try_another(&error)) {
                        return Ok(outcome.instead_of(tool));
                    }
                    if !may_run_elsewhere(&error) {
                        return Err(error.after(std::iter::once(tool.to_owned()).chain(failed).collect()));
                    }
                    failed.push(other.clone());
                }
            }
        }
        let answered_by = names.first().map_or(tool, String::as_str);
        match own_result(&first, answered_by) {
            Some(outcome) => Ok(outcome),
            None => Err(first.after(failed)),
        }
    }

    /// Ends all servers: their processes exit within about two seconds, or are killed.
    pub async fn stop(&self) {
        let supervisors = self.0.servers.iter().filter_map(|server| server.supervisor().cloned());
        let stopped: JoinSet<()> = supervisors.map(|supervisor| async move { supervisor.stop().await }).collect();
        stopped.join_all().await;
    }

    /// Calls one tool, without its alternatives.
    async fn call_one(&self, tool: &str, arguments: &Map<String, Value>) -> Called {
        let mut choice = choose(&self.0.servers, tool);
        if matches!(choice, Choice::None) {
            // A server that still starts may have it.
            self.settled().await;
            choice = choose(&self.0.servers, tool);
        }
        match choice {
            Choice::One(server, own) => {
                let name = full_name(server.name(), &own);
                match server.call(&own, arguments).await {
                    Ok(response) => Called::Answered(CallToolOutcome::new(name, &response, false)),
                    Err(error) => {
                        let mut names = vec![name, own];
                        if !names.iter().any(|name| name == tool) {
                            names.push(tool.to_owned());
                        }
                        Called::Failed(error, names)
                    }
                }
            }
            Choice::Several(candidates) => {
                let candidates = candidates.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let message = format!("several servers have a tool `{tool}`; call one of {candidates}");
                Called::rejected(ErrorKind::InvalidInput, message, tool)
            }
            Choice::None => Called::rejected(ErrorKind::NotFound, self.unknown(tool), tool),
        }
    }

    /// Says that no server has a tool, and which servers could not be asked for theirs.
    fn unknown(&self, tool: &str) -> String {
        let mut message = format!("no server has a tool `{tool}`");
        for server in self.0.servers.iter().filter(|server| !server.is_listed()) {
            let health = server.health();
            let reason = health.reason.unwrap_or_else(|| format!("it is {}", health.state.as_str()));
            // Writing to a `String` cannot fail.
            let _ = write!(message, "; the tools of the server `{}` are not known: {reason}", server.name());
        }
        message
    }
}

/// The end of a call of one tool.
enum Called {
    Answered(CallToolOutcome),
    /// The error, and the names under which the alternatives of the tool may be listed: the full name first.
    Failed(CallError, Vec<String>),
}

impl Called {
    fn rejected(kind: ErrorKind, message: String, tool: &str) -> Self {
        Self::Failed(CallError::not_sent(Failure::not_sent(kind, message)), vec![tool.to_owned()])
    }
}

/// Returns whether another tool may do what this one has not done.
fn may_try_another(error: &CallError) -> bool {
    let is_unavailable = match error.kind() {
        ErrorKind::Timeout
        | ErrorKind::Connection
        | ErrorKind::Unavailable
        | ErrorKind::CircuitOpen
        | ErrorKind::RateLimited
        | ErrorKind::Overloaded => true,
        // No server has it, or the settings of its server are wrong. The operator's switches are no reason.
        ErrorKind::NotFound | ErrorKind::Disabled => error.response().is_none() && error.as_resilience().is_none(),
        _ => false,
    };
    is_unavailable && may_run_elsewhere(error)
}

/// Returns whether another server may run the call without a second effect.
fn may_run_elsewhere(error: &CallError) -> bool {
    !error.may_have_run() || error.effect() == Effect::ReadOnly
}

/// Returns the result with `isError`, if the tool has answered with one.
fn own_result(error: &CallError, answered_by: &str) -> Option<CallToolOutcome> {
    let response = error.response().filter(|response| response.result().is_some())?;
    Some(CallToolOutcome::new(answered_by.to_owned(), response, true))
}

#[cfg(test)]
mod tests;
