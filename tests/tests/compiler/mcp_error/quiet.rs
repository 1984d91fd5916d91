//! One of each form of the derive, with every lint denied that a careful crate denies.

#![deny(
    warnings,
    clippy::pedantic,
    clippy::nursery,
    missing_docs,
    unreachable_pub,
    unused,
    unused_qualifications,
    single_use_lifetimes
)]

use std::time::Duration;

use resilient_runtime::{McpError, ResilienceError};

/// An enum with all attributes.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "QUIET")]
pub enum Quiet {
    /// Words.
    #[error("words {id}")]
    #[mcp(kind = conflict, hint = "{id:?}", message = "{id} and {id:>4}", severity = low, protocol = 7)]
    Words {
        /// A public detail.
        #[mcp(detail)]
        id: String,
        /// A secret.
        #[mcp(secret)]
        token: String,
    },
    /// A status.
    #[error("status")]
    #[mcp(retryable = false, trips_breaker = true, fallback = true)]
    Status(#[mcp(status, detail)] u16, #[mcp(retry_after)] Option<Duration>),
    /// A field that is classified.
    #[error("classified")]
    Classified(
        #[from]
        #[mcp(classify)]
        std::io::Error,
    ),
    /// A transparent field.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
    /// Without fields.
    #[error("unit")]
    #[mcp(kind = internal)]
    #[deprecated]
    Unit,
}

/// A struct with parameters.
#[derive(Debug, thiserror::Error, McpError)]
#[error("parameters {id}")]
#[mcp(kind = not_found, hint = "{id}")]
pub struct Parameters<'a, T, const N: usize>
where
    T: std::fmt::Debug + std::fmt::Display,
{
    /// The id.
    #[mcp(detail)]
    pub id: &'a T,
    /// The secret.
    #[mcp(secret)]
    pub token: [u8; N],
}

/// A struct around another.
#[derive(Debug, thiserror::Error, McpError)]
#[error("around")]
#[mcp(transparent)]
pub struct Around(#[from] Quiet);

/// An enum without variants.
#[derive(Debug, thiserror::Error, McpError)]
pub enum Never {}

#[derive(Debug, thiserror::Error, McpError)]
#[error("private")]
#[mcp(kind = internal)]
pub(super) struct Private;
