//! Secrets appear in no text.

use resilient_runtime::McpError;

// rule 54: 4 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Told {
    #[error("refused")]
    #[mcp(kind = permission_denied, hint = "The token {token} was refused.")]
    Hint {
        #[mcp(secret)]
        token: String,
    },
    #[error("refused")]
    #[mcp(kind = permission_denied, message = "The token {0:?} was refused.")]
    Message(#[mcp(secret)] String),
    #[error("refused: {token}")]
    #[mcp(kind = permission_denied)]
    Display {
        #[mcp(secret)]
        token: String,
    },
    #[error("refused: {}", .0.trim())]
    #[mcp(kind = permission_denied)]
    Argument(#[mcp(secret)] String),
}

// rule 56
#[derive(Debug, thiserror::Error, McpError)]
#[error("refused")]
#[mcp(kind = permission_denied)]
struct Detail {
    #[mcp(secret, detail)]
    token: String,
}

fn main() {}
