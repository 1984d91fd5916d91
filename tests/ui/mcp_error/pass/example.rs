//! The enum of the guide, unchanged.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use std::time::Duration;

use resilient_runtime::{Classify, ErrorKind, McpError, ResilienceError};

/// An error.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "MAKE")]
pub enum MakeError {
    /// A variant.
    #[error("no scenario {id}")]
    #[mcp(kind = not_found, hint = "Call list_scenarios for valid ids.")]
    NoSuchScenario {
        /// A field.
        #[mcp(detail)]
        id: u64,
    },

    /// A variant.
    #[error("rate limited")]
    #[mcp(kind = rate_limited)]
    RateLimited {
        /// A field.
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },

    /// A variant.
    #[error("upstream answered {status}: {body}")]
    Upstream {
        /// A field.
        #[mcp(status, detail)]
        status: u16,
        /// A field.
        body: String,
    },

    /// A variant.
    #[error("cannot reach Make")]
    Http(
        #[from]
        #[mcp(classify)]
        reqwest::Error,
    ),

    /// A variant.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

fn main() {
    assert_eq!(MakeError::Upstream { status: 503, body: String::new() }.kind(), ErrorKind::Unavailable);
}
