//! Fields with unsuitable types: one error each, at the type.

use resilient_runtime::{McpError, ResilienceError};

#[derive(Debug)]
struct Opaque;

// rule 55
#[derive(Debug, thiserror::Error, McpError)]
#[error("later")]
#[mcp(kind = rate_limited)]
struct Wait {
    #[mcp(retry_after)]
    seconds: Option<u64>,
}

// rule 55
#[derive(Debug, thiserror::Error, McpError)]
#[error("answered")]
struct Status(#[mcp(status)] String);

// rule 56
#[derive(Debug, thiserror::Error, McpError)]
#[error("not here")]
#[mcp(kind = not_found)]
struct Detail {
    #[mcp(detail)]
    what: Opaque,
}

// rule 60
#[derive(Debug, thiserror::Error, McpError)]
#[error("broken")]
struct Classified(#[mcp(classify)] std::fmt::Error);

// rule 60
#[derive(Debug, thiserror::Error, McpError)]
enum Transparent {
    #[error(transparent)]
    #[mcp(transparent)]
    Fmt(#[from] std::fmt::Error),
    #[error(transparent)]
    #[mcp(transparent)]
    Fine(#[from] ResilienceError),
}

// beside the rules, a text that cannot be formatted is reported under the text
#[derive(Debug, thiserror::Error, McpError)]
#[error("not here")]
#[mcp(kind = not_found, hint = "Look for {0}.")]
struct Hint(Opaque);

// beside the rules, no error at all for `std`
#[derive(Debug, McpError)]
#[mcp(kind = not_found)]
struct NoError;

fn main() {}
