//! MCP clients that survive their servers.

mod command;
mod config;
mod link;
mod message;
mod target;
mod variables;

pub use command::Command;
pub use config::{Config, ConfigError, ConfigProblem, ServerEntry, ServerSettings, Transport};
pub use message::{Message, MessageKind, NotAMessage};
pub use target::{check_header_name, check_header_value, check_url, host_of};
pub use variables::{ExpandError, expand_variables};
