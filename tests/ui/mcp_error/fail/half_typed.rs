//! Incomplete code: one error, and everything that the derive adds is still there.

use resilient_runtime::McpError;

// rule 50
#[derive(Debug, thiserror::Error, McpError)]
enum NoKind {
    #[error("fine")]
    #[mcp(kind = internal)]
    Fine,
    #[error("new")]
    New,
}

// beside the rules, a key without its value
#[derive(Debug, thiserror::Error, McpError)]
enum NoValue {
    #[error("new")]
    #[mcp(kind = )]
    New,
}

// beside the rules, half a key
#[derive(Debug, thiserror::Error, McpError)]
enum HalfAKey {
    #[error("new")]
    #[mcp(ki)]
    New,
}

// rule 51
#[derive(Debug, thiserror::Error, McpError)]
enum HalfAKind {
    #[error("new")]
    #[mcp(kind = not_f)]
    New,
}

// beside the rules, half a hint
#[derive(Debug, thiserror::Error, McpError)]
enum HalfAHint {
    #[error("new")]
    #[mcp(kind = internal, hint = "See {")]
    New { id: u64 },
}

// beside the rules, nothing else is wrong: 0 mistakes
fn asks<E: ToolError>(error: &E) -> String
where
    rmcp::ErrorData: From<E>,
{
    format!("{}{}", error.code(), error.kind().as_str())
}

fn all() {
    asks(&NoKind::Fine);
    asks(&NoValue::New);
    asks(&HalfAKey::New);
    asks(&HalfAKind::New);
    asks(&HalfAHint::New { id: 1 });
}

fn main() {
    all();
}
