//! Names that need care: raw identifiers, keywords as fields, names that the expansion uses too.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::{McpError, ToolError};

/// An error.
#[derive(Debug, thiserror::Error, McpError)]
#[error("odd {type}")]
#[mcp(kind = invalid_input, message = "no {type} in {r#mod}", hint = "{self_} {__field0} {details} {error}")]
pub struct Odd {
    #[mcp(detail)]
    r#type: u8,
    r#mod: u8,
    self_: u8,
    __field0: u8,
    details: u8,
    error: u8,
}

/// An error.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "ODD")]
#[allow(non_camel_case_types)]
pub enum r#dyn {
    /// A variant.
    #[error("raw")]
    #[mcp(kind = internal)]
    r#async,
    /// A variant.
    #[error("Error")]
    #[mcp(kind = internal)]
    Error,
    /// A variant.
    #[error("None")]
    #[mcp(kind = internal)]
    None,
}

/// The derive next to the name that rmcp's examples give to its error.
mod beside_rmcp {
    use resilient_runtime::{McpError, ResilienceError};
    use rmcp::ErrorData as McpError;

    /// An error.
    #[derive(Debug, thiserror::Error, McpError)]
    pub enum Failure {
        /// An error of the pipeline.
        #[error(transparent)]
        #[mcp(transparent)]
        Resilience(#[from] ResilienceError),
    }

    const _: fn(Failure) -> McpError = McpError::from;
}

fn main() {
    let odd = Odd { r#type: 1, r#mod: 2, self_: 3, __field0: 4, details: 5, error: 6 };
    assert_eq!(odd.public_message(), "no 1 in 2");
    assert_eq!(odd.hint().as_deref(), Some("3 4 5 6"));
    assert_eq!(odd.details().keys().collect::<Vec<_>>(), ["type"]);
    assert_eq!(r#dyn::CODES, ["ODD_ASYNC", "ODD_ERROR", "ODD_NONE"]);
    assert_eq!((r#dyn::r#async.code(), r#dyn::None.code()), ("ODD_ASYNC".into(), "ODD_NONE".into()));
    assert_eq!(r#dyn::Error.to_string(), "Error");
    assert!(
        rmcp::ErrorData::from(beside_rmcp::Failure::from(resilient_runtime::ResilienceError::Panicked))
            .message
            .starts_with("INTERNAL")
    );
}
