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

// rule 58, by code that the derive does not see
#[derive(Debug, thiserror::Error, McpError)]
enum Shown {
    #[error(fmt = show)]
    #[mcp(kind = not_found)]
    Missing(#[source] std::io::Error),
}

fn show(source: &std::io::Error, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    write!(f, "missing: {source}")
}

// rule 58, by its own `Display`
#[derive(Debug, McpError)]
#[mcp(kind = not_found)]
struct ByHand {
    source: std::io::Error,
}

impl std::fmt::Display for ByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "missing: {}", self.source)
    }
}

impl std::error::Error for ByHand {}

// rule 54, by the name that thiserror binds
#[derive(Debug, thiserror::Error, McpError)]
enum Secret {
    #[error("no {_0}")]
    #[mcp(kind = not_found)]
    Missing(#[mcp(secret)] String),
}

fn main() {}
