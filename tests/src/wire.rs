//! Reads a response as a client does: its text, and the entries of `_meta` under the keys of this crate.

use rmcp::model::CallToolResult;
use serde_json::Value;

/// The key of an error. Written out, as clients write it.
pub const ERROR: &str = "io.crates.resilient-runtime/error";

/// The key of the metadata of a call that did not fail.
pub const CALL: &str = "io.crates.resilient-runtime/call";

/// The key of a request under which a client sends a correlation ID.
pub const CORRELATION: &str = "io.crates.resilient-runtime/correlation-id";

/// Returns the value under this key of `_meta`, or null if there is none.
#[must_use]
pub fn meta(result: &CallToolResult, key: &str) -> Value {
    result.meta.as_ref().and_then(|meta| meta.0.get(key)).cloned().unwrap_or_default()
}

/// Returns the error in `_meta` without its correlation ID, which differs from call to call.
///
/// # Panics
/// If there is no error.
#[must_use]
pub fn error(result: &CallToolResult) -> Value {
    let mut error = meta(result, ERROR);
    error.as_object_mut().unwrap_or_else(|| panic!("no error in {result:?}")).remove("correlation_id");
    error
}

/// Returns the text that the model reads.
#[must_use]
pub fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect::<Vec<_>>().join("\n")
}
