//! The enum of the guide, as it stands there.

use std::time::Duration;

use resilient_runtime::{Classify, ErrorKind, McpError, ResilienceError};

#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "MAKE")]
pub enum MakeError {
    #[error("no scenario {id}")]
    #[mcp(kind = not_found, hint = "Call list_scenarios for valid ids.")]
    NoSuchScenario {
        #[mcp(detail)]
        id: u64,
    },

    #[error("rate limited")]
    #[mcp(kind = rate_limited)]
    RateLimited {
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },

    #[error("upstream answered {status}: {body}")]
    Upstream {
        #[mcp(status, detail)]
        status: u16,
        body: String,
    },

    #[error("cannot reach Make")]
    Http(
        #[from]
        #[mcp(classify)]
        reqwest::Error,
    ),

    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

fn main() {
    assert_eq!(MakeError::Upstream { status: 503, body: String::new() }.kind(), ErrorKind::Unavailable);
}
