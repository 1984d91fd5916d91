//! The messages of the client, as text.

use std::borrow::Cow;
use std::io;

use serde::Deserialize;
use serde_json::Value;

/// The number of bytes in the argument of a call, and in its result.
const PAYLOAD: usize = 100;

/// The notification that ends the handshake.
pub(super) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The version of the protocol that every proxy here speaks.
pub(super) const PROTOCOL: &str = "2025-06-18";

pub(super) fn initialize(id: u64) -> String {
    let client = r#""capabilities":{},"clientInfo":{"name":"bench","version":"1"}"#;
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"initialize","params":{{"protocolVersion":"{PROTOCOL}",{client}}}}}"#
    )
}

pub(super) fn list_tools(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{}}}}"#)
}

pub(super) fn call(id: u64, tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"{}"}}}}}}"#,
        payload(id)
    )
}

/// The text of this call: different for each, so that exchanged answers are noticed.
fn payload(id: u64) -> String {
    format!("{id:0>PAYLOAD$}")
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) id: u64,
    /// The names of the tools, if it is a list of tools.
    pub(super) tools: Vec<String>,
    text: String,
    is_error: bool,
}

impl Answer {
    /// Reads a message. Returns `None` if it is not a response, as a notification of the server, and the error of a
    /// response as an error.
    pub(super) fn read(message: &[u8]) -> Option<io::Result<Self>> {
        let message: Message<'_> = serde_json::from_slice(message).ok()?;
        let id = message.id.as_ref().and_then(Value::as_u64)?;
        match (message.result, message.error) {
            (Some(result), None) => {
                let text = result.content.into_iter().filter_map(|block| block.text).collect();
                let tools = result.tools.into_iter().map(|tool| tool.name).collect();
                Some(Ok(Self { id, tools, text, is_error: result.is_error }))
            }
            (_, Some(error)) => Some(Err(io::Error::other(error.to_string()))),
            (None, None) => None,
        }
    }

    /// Fails if this is not the result of the call with the same id.
    pub(super) fn check(&self) -> io::Result<()> {
        if !self.is_error && self.text == payload(self.id) {
            return Ok(());
        }
        Err(io::Error::other(format!("not the result of a call: {self:?}")))
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    id: Option<Value>,
    #[serde(borrow)]
    result: Option<MessageResult<'a>>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageResult<'a> {
    #[serde(borrow, default)]
    content: Vec<Block<'a>>,
    #[serde(default)]
    is_error: bool,
    #[serde(default)]
    tools: Vec<Tool>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
}
