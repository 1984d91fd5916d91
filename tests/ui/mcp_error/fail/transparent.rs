//! Variants that delegate to one field.

use resilient_runtime::{McpError, ResilienceError};

// rule 60: 3 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Fields {
    #[error("nobody")]
    #[mcp(transparent)]
    None,
    #[error("who of the two")]
    #[mcp(transparent)]
    Two(ResilienceError, u8),
    #[error(transparent)]
    #[mcp(transparent, hint = "Nobody reads this.")]
    Own(ResilienceError),
}

fn main() {}
