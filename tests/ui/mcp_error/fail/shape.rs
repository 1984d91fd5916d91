//! The syntax of `#[mcp(..)]`: all mistakes of one list are reported together.

use resilient_runtime::McpError;

// beside the rules, how keys are written: 16 mistakes
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefx = "MAKE", kind = internal, crate = resilient_runtime)]
enum Keys {
    #[error("a slip of the pen, and the others are still read")]
    #[mcp(knd = not_found, retryable = maybe, severity = hihg)]
    Slip,
    #[error("in the wrong place")]
    #[mcp(kind = internal, detail, prefix = "MAKE")]
    Place(#[mcp(hint = "not here")] u8),
    #[error("twice")]
    #[mcp(kind = internal)]
    #[mcp(kind = not_found)]
    Twice,
    #[error("a missing comma")]
    #[mcp(kind = internal code = "MAKE_COMMA")]
    Comma,
    #[error("a missing value")]
    #[mcp(kind = , code = )]
    Value,
    #[error("flags take no value, values are no flags")]
    #[mcp(kind = internal, public = true, hint)]
    Flags,
    #[error("no list")]
    #[mcp]
    Bare,
}

fn main() {}
