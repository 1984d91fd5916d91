//! JSON-RPC codes.

use resilient_runtime::McpError;

// rule 53: 3 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Reserved {
    #[error("in the band of JSON-RPC")]
    #[mcp(kind = internal, protocol = -32050)]
    Band,
    #[error("for resources, once")]
    #[mcp(kind = not_found, protocol = -32002)]
    Resource,
    #[error("for elicitation, once")]
    #[mcp(kind = failed_precondition, protocol = -32042)]
    Elicitation,
    #[error("one of the five that may be used")]
    #[mcp(kind = invalid_input, protocol = -32602)]
    Fine,
}

// rule 53: 2 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum NoCode {
    #[error("a string")]
    #[mcp(kind = internal, protocol = "-33001")]
    String,
    #[error("too large")]
    #[mcp(kind = internal, protocol = 5000000000)]
    Large,
}

fn main() {}
