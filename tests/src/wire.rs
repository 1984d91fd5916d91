//! What a client reads of an answer: its text, and what `_meta` holds under the keys of this crate.

use rmcp::model::CallToolResult;
use serde_json::Value;

/// The key of an error. Written out, as clients write it.
pub const ERROR: &str = "io.crates.resilient-runtime/error";

/// The key of what is said about a call that did not fail.
pub const CALL: &str = "io.crates.resilient-runtime/call";

/// The key of a request under which a client gives a correlation id.
pub const CORRELATION: &str = "io.crates.resilient-runtime/correlation-id";

/// What `_meta` holds under this key; null if it holds nothing.
#[must_use]
pub fn meta(result: &CallToolResult, key: &str) -> Value {
    result.meta.as_ref().and_then(|meta| meta.0.get(key)).cloned().unwrap_or_default()
}

/// The error in `_meta` without its correlation id, which differs from call to call.
///
/// # Panics
/// If there is no error.
#[must_use]
pub fn error(result: &CallToolResult) -> Value {
    let mut error = meta(result, ERROR);
    error.as_object_mut().unwrap_or_else(|| panic!("no error in {result:?}")).remove("correlation_id");
    error
}

/// The text that the model reads.
#[must_use]
pub fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect::<Vec<_>>().join("\n")
}
