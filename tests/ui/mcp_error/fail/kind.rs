//! The kind of a variant.

use resilient_runtime::McpError;

// rule 50
#[derive(Debug, thiserror::Error, McpError)]
enum Nowhere {
    #[error("not classified")]
    Unclassified { status: u16 },
    #[error("fine")]
    #[mcp(kind = internal)]
    Fine,
}

// rule 50
#[derive(Debug, thiserror::Error, McpError)]
#[error("not classified")]
struct NowhereEither;

// rule 50: 3 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Twice {
    #[error("by word and by status")]
    #[mcp(kind = unavailable)]
    WordAndStatus(#[mcp(status)] u16),
    #[error("by two fields")]
    TwoFields(#[mcp(status)] u16, #[mcp(classify)] std::io::Error),
    #[error("by the field and by word")]
    #[mcp(transparent, kind = internal)]
    TransparentAndWord(#[source] std::io::Error),
}

// rule 51: 4 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Unknown {
    #[error("a slip of the pen")]
    #[mcp(kind = rate_limit)]
    Slip,
    #[error("the name of the variant")]
    #[mcp(kind = NotFound)]
    VariantName,
    #[error("a string")]
    #[mcp(kind = "not_found")]
    String,
    #[error("a stranger")]
    #[mcp(kind = banana)]
    Stranger,
}

// rule 51, by the names of HTTP: 4 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Http {
    #[error("400")]
    #[mcp(kind = bad_request)]
    BadRequest,
    #[error("401")]
    #[mcp(kind = Unauthorized)]
    Unauthorized,
    #[error("429")]
    #[mcp(kind = too_many_requests)]
    TooManyRequests,
    #[error("503")]
    #[mcp(kind = service_unavailable)]
    ServiceUnavailable,
}

// Everything that the derive adds exists despite a mistake: nothing below is an error.
fn is_an_mcp_error<E: ToolError>() -> &'static [&'static str] {
    &[]
}

fn main() {
    is_an_mcp_error::<Nowhere>();
    let _ = (Nowhere::CODES, Twice::catalog(), Unknown::CODES);
    let _ = rmcp::ErrorData::from(NowhereEither);
}
