//! MCP clients that survive their servers.

mod link;
mod message;

pub use message::{Message, MessageKind, NotAMessage};
