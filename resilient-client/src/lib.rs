//! MCP clients that survive their servers.

mod call;
mod command;
mod config;
mod failure;
#[cfg(test)]
mod fake;
mod interned;
mod link;
mod message;
mod supervisor;
mod target;
mod variables;

pub use call::{CallError, CallSettings, Caller, RunningCall, base_policies};
pub use command::Command;
pub use config::{Config, ConfigError, ConfigProblem, ServerEntry, ServerSettings, Transport};
pub use failure::Failure;
pub use link::any::Target;
#[cfg(feature = "http")]
pub use link::http::{Endpoint, InvalidEndpoint};
pub use message::{Message, MessageKind, NotAMessage};
pub use supervisor::{BoxFuture, ConnectionState, Events, Supervisor, SupervisorSettings};
pub use target::{check_header_name, check_header_value, check_url, host_of};
pub use variables::{ExpandError, expand_variables};
