//! Values in a form that their key does not accept.

use resilient_runtime::McpError;

// rule 64: 6 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Quoted {
    #[error("a kind")]
    #[mcp(kind = "not_found")]
    Kind,
    #[error("a boolean")]
    #[mcp(kind = internal, retryable = "false")]
    Boolean,
    #[error("a severity")]
    #[mcp(kind = internal, severity = "low")]
    Severity,
    #[error("a number")]
    #[mcp(kind = internal, protocol = "-33001")]
    Number,
    #[error("a kind with a dash")]
    #[mcp(kind = "bad-response")]
    Dashed,
    #[error("a switch")]
    #[mcp(kind = internal, fallback = "true")]
    Switch,
}

// rule 51, in other forms: 3 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Kinds {
    #[error("a dash")]
    #[mcp(kind = not-found)]
    Dash,
    #[error("a path")]
    #[mcp(kind = ErrorKind::NotFound)]
    Path,
    #[error("without its key")]
    #[mcp(not_found)]
    Bare,
}

// beside the rules, another sign for `=`: 2 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Signs {
    #[error("an arrow")]
    #[mcp(kind => internal)]
    Arrow,
    #[error("a colon")]
    #[mcp(kind: internal)]
    Colon,
}

// rule 62: 3 mistakes
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "MAKE"x)]
enum Suffixes {
    #[error("a code")]
    #[mcp(kind = internal, protocol = -33001i32)]
    Code,
    #[error("a hint")]
    #[mcp(kind = internal, hint = "again"x)]
    Hint,
}

// beside the rules, a kind above the enum
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(not_found)]
enum Above {
    #[error("fine")]
    #[mcp(kind = internal)]
    Fine,
}

fn main() {}
