use resilient_runtime::McpError;

// rule 58, a field that is printed whole
#[derive(Debug, thiserror::Error, McpError)]
enum Whole {
    #[error(transparent)]
    #[mcp(kind = not_found)]
    Missing(std::io::Error),
}

// rule 58, by the name that thiserror binds
#[derive(Debug, thiserror::Error, McpError)]
enum Bound {
    #[error("failed: {_0}")]
    #[mcp(kind = not_found)]
    Missing(#[source] std::io::Error),
}

// rule 54, by the name that thiserror binds
#[derive(Debug, thiserror::Error, McpError)]
enum Secret {
    #[error("no {_0}")]
    #[mcp(kind = not_found)]
    Missing(#[mcp(secret)] String),
}

fn main() {}
