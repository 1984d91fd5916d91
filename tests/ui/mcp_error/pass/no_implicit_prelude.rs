//! A crate without a prelude.
#![no_implicit_prelude]
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

/// An error.
#[derive(::std::fmt::Debug, ::resilient_runtime::McpError)]
#[mcp(prefix = "BARE")]
pub enum Bare<T> {
    /// A part.
    #[mcp(kind = not_found, hint = "List what exists near {0}.", message = "no {0}")]
    NotFound(#[mcp(detail)] T),
    /// A part.
    Upstream {
        /// A part.
        #[mcp(status)]
        status: u16,
        /// A part.
        #[mcp(retry_after)]
        wait: ::std::time::Duration,
    },
    /// A part.
    #[mcp(transparent)]
    Resilience(::resilient_runtime::ResilienceError),
}

impl<T> ::std::fmt::Display for Bare<T> {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        f.write_str("bare")
    }
}

impl<T: ::std::fmt::Debug> ::std::error::Error for Bare<T> {}

fn main() {
    let error = Bare::NotFound(7);
    ::std::assert_eq!(::resilient_runtime::ToolError::public_message(&error), "no 7");
    ::std::assert_eq!(Bare::<u8>::CODES, ["BARE_NOT_FOUND", "BARE_UPSTREAM"]);
}
