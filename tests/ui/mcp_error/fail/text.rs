//! The texts for the client.

use resilient_runtime::McpError;

// rule 54: 5 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Fields {
    #[error("a slip of the pen")]
    #[mcp(kind = not_found, hint = "List what exists near {idd}.")]
    Slip { id: u64 },
    #[error("no fields at all")]
    #[mcp(kind = not_found, message = "no scenario {0}")]
    None,
    #[error("no name")]
    #[mcp(kind = not_found, message = "no scenario {}")]
    NoName(u64),
    #[error("a brace too many")]
    #[mcp(kind = not_found, message = "no scenario {0}}")]
    Brace(u64),
    #[error("a width from a field")]
    #[mcp(kind = not_found, message = "no scenario {id:width$}")]
    Width { id: u64, width: usize },
}

// rule 57: 3 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Contradictions {
    #[error("both")]
    #[mcp(kind = not_found, public, private)]
    PublicAndPrivate,
    #[error("a message for nobody")]
    #[mcp(kind = not_found, private, message = "not here")]
    MessageAndPrivate,
    #[error("two texts")]
    #[mcp(kind = not_found, message = "not here", public)]
    MessageAndPublic,
}

// rule 58: 4 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Sources {
    #[error("not here: {0}")]
    #[mcp(kind = not_found)]
    From(#[from] std::io::Error),
    #[error("not here: {source}")]
    #[mcp(kind = not_found)]
    Named { source: std::fmt::Error },
    #[error("not here: {}", .cause)]
    #[mcp(kind = not_found)]
    Argument {
        #[source]
        cause: std::fmt::Error,
    },
    #[error(transparent)]
    #[mcp(kind = not_found)]
    Whole(#[from] std::str::Utf8Error),
    #[error("fine, because the client does not read it: {0}")]
    #[mcp(kind = unavailable)]
    Private(#[source] std::fmt::Error),
}

fn main() {}
