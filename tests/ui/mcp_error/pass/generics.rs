//! Type parameters, lifetimes, constants and `where` clauses; an enum without variants.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use std::error::Error;
use std::fmt::{Debug, Display};

use resilient_runtime::classify::HttpStatus;
use resilient_runtime::{Classify, McpError, ResilienceError, ToolError};

/// An error.
#[derive(Debug, thiserror::Error, McpError)]
#[error("no {what} like {id}")]
#[mcp(kind = not_found, hint = "List {what} near {id:?}.")]
pub struct NotFound<'a, T, const N: usize = 4>
where
    T: Debug + Display,
{
    what: &'a str,
    #[mcp(detail)]
    id: &'a T,
    #[mcp(secret)]
    token: [u8; N],
}

/// An error.
#[derive(Debug, McpError)]
pub enum Any<E: Error + 'static, C: Error + 'static, S> {
    /// A variant.
    #[mcp(transparent)]
    Whole(E),
    /// A variant.
    Sorted(#[mcp(classify)] Box<C>),
    /// A variant.
    Status(#[mcp(status)] S),
    /// A variant.
    #[mcp(kind = internal)]
    Listed(#[mcp(detail)] Vec<(S, u8)>),
}

// By hand, because thiserror repeats bounds, which clippy reports.
impl<E: Error + 'static, C: Error + 'static, S: Debug> Display for Any<E, C, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any")
    }
}

impl<E: Error + 'static, C: Error + 'static, S: Debug> Error for Any<E, C, S> {}

/// An error.
#[derive(Debug, thiserror::Error, McpError)]
pub enum Never {}

/// An error.
#[derive(Debug, thiserror::Error, McpError)]
#[error("borrowed {0}")]
#[mcp(kind = invalid_input)]
pub struct Borrowed<'a>(#[mcp(detail)] std::borrow::Cow<'a, str>);

fn tool_error<E: ToolError>(error: E) -> rmcp::ErrorData
where
    rmcp::ErrorData: From<E>,
{
    error.into()
}

fn asks<E: Error + ToolError + 'static, C: Error + Classify + 'static, S>(error: &Any<E, C, S>) -> String
where
    S: HttpStatus + serde::Serialize + Debug,
{
    error.code().into_owned()
}

type Concrete = Any<ResilienceError, std::io::Error, u16>;

fn main() {
    let error = NotFound { what: "scenario", id: &7, token: *b"abcd" };
    assert_eq!(error.hint().as_deref(), Some("List scenario near 7."));
    assert_eq!(error.details().get("id"), Some(&7.into()));
    assert_eq!(error.token.len(), 4);
    assert!(tool_error(error).message.contains("no scenario like 7"));
    assert_eq!(asks(&Concrete::Whole(ResilienceError::Cancelled)), "CANCELLED");
    assert_eq!(asks(&Concrete::Status(404)), "STATUS");
    assert_eq!(Concrete::Sorted(Box::new(std::io::ErrorKind::TimedOut.into())).kind().as_str(), "timeout");
    assert_eq!(Concrete::Listed(vec![(1, 2)]).details().len(), 1);
    assert!(Never::CODES.is_empty() && Never::catalog().is_empty());
    assert!(tool_error(Borrowed("x".into())).data.is_some());
}
