//! MCP clients that survive their servers: restarts, reconnects, deadlines, breakers, and retries where they are safe.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use resilient_client::Servers;
//! use serde_json::json;
//!
//! let servers = Servers::from_file("mcp_servers.json").await?;
//! let arguments = json!({ "query": "circuit breaker" }).as_object().cloned().unwrap_or_default();
//! let text = match servers.call("search__web", arguments).await {
//!     Ok(outcome) => outcome.text_for_model(),
//!     Err(error) => error.text_for_model(),
//! };
//! # drop(text);
//! servers.stop().await;
//! # Ok(()) }
//! ```
//!
//! | for | items |
//! |---|---|
//! | several servers as one set of tools | [`Servers`], [`CallToolOutcome`], [`ServerHealth`] |
//! | the file of servers | [`Config`], [`expand_variables`] |
//! | rmcp's client on a supervised connection | `Connection`, `ConnectedClient`, `SupervisedTransport` |
//! | bridges, on messages as text | [`Message`], [`Supervisor`], [`Caller`], [`ClientSession`], `HeaderParameters` |
//! | errors | [`CallError`], [`Failure`] |
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `http` | yes | servers over streamable HTTP: `Endpoint` |
//! | `rmcp` | yes | `Connection` |
//!
//! The [guide](guide::clients) says when to use which, what a restart does, which calls are repeated, and what a model reads.

mod call;
mod command;
mod config;
#[cfg(feature = "rmcp")]
mod connection;
mod failure;
#[cfg(test)]
mod fake;
pub mod guide;
mod interned;
pub mod lines;
mod link;
mod message;
mod server_requests;
mod servers;
mod session;
mod supervisor;
mod target;
mod variables;

pub use call::{CallError, CallSettings, Caller, RunningCall, base_policies};
pub use command::Command;
pub use config::{Config, ConfigError, ConfigProblem, ServerEntry, ServerSettings, Transport};
#[cfg(feature = "rmcp")]
pub use connection::{ConnectedClient, Connection, SupervisedTransport};
pub use failure::Failure;
pub use link::any::{InvalidTarget, Target};
#[cfg(feature = "http")]
pub use link::http::{Endpoint, InvalidEndpoint, Parameters as HeaderParameters};
pub use message::{Message, MessageKind, NotAMessage};
pub use server_requests::ServerRequests;
pub use servers::{CallToolOutcome, ListedTool, ServerError, ServerHealth, ServerState, Servers, ServersSettings};
pub use session::{ClientSession, KnownTools};
pub use supervisor::{BoxFuture, ConnectionState, Events, Supervisor, SupervisorSettings};
pub use target::{check_header_name, check_header_value, check_url, host_of};
pub use variables::{ExpandError, expand_variables};

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
