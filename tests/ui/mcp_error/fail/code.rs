//! Codes are unique, well-formed and short.

use resilient_runtime::McpError;

// rule 52: 2 mistakes
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "MAKE")]
enum Twice {
    #[error("the first")]
    #[mcp(kind = timeout, code = "MAKE_LATE")]
    First,
    #[error("the same by its name")]
    #[mcp(kind = timeout)]
    Late,
    #[error("the same once more")]
    #[mcp(kind = timeout, code = "MAKE_LATE")]
    Third,
}

// rule 52: 5 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Malformed {
    #[error("lower case")]
    #[mcp(kind = timeout, code = "make-late")]
    LowerCase,
    #[error("starts with a digit")]
    #[mcp(kind = timeout, code = "5XX")]
    Digit,
    #[error("empty")]
    #[mcp(kind = timeout, code = "")]
    Empty,
    #[error("no ASCII")]
    #[mcp(kind = timeout)]
    Größe,
    #[error("too long")]
    #[mcp(kind = timeout, code = "MAKE_THIS_CODE_IS_SO_LONG_THAT_NOBODY_WILL_READ_IT_TO_ITS_VERY_END")]
    Long,
}

// rule 52
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "make")]
enum Prefix {
    #[error("fine")]
    #[mcp(kind = timeout)]
    Fine,
}

// rule 52
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "MAKE_")]
enum PrefixWithItsLine {
    #[error("fine")]
    #[mcp(kind = timeout)]
    Fine,
}

fn main() {}
