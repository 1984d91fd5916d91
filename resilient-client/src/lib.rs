//! MCP clients that survive their servers.

mod call;
mod command;
mod failure;
mod interned;
mod link;
mod message;
mod supervisor;

pub use call::{CallError, CallSettings, Caller, RunningCall};
pub use command::Command;
pub use failure::Failure;
#[cfg(feature = "http")]
pub use link::http::Endpoint;
pub use link::any::Target;
pub use message::{Message, MessageKind, NotAMessage};
pub use supervisor::{BoxFuture, ConnectionState, Events, Supervisor, SupervisorSettings};
