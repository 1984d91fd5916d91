//! MCP clients that survive their servers.

mod link;
mod message;

#[cfg(feature = "http")]
pub use link::http::{Endpoint, InvalidEndpoint};
pub use message::{Message, MessageKind, NotAMessage};
