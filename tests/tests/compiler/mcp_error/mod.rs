//! The methods that `#[derive(McpError)]` generates for an enum or a struct.

pub mod quiet;
mod readers;
mod variants;

use std::borrow::Cow;
use std::time::Duration;

use resilient_runtime::error::Severity;
use resilient_runtime::{ErrorKind, McpError, ResilienceError, ToolError};
use serde_json::{Map, Value};

#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "MAKE")]
enum MakeError {
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
    #[error("cannot reach Make: {0}")]
    Io(
        #[from]
        #[mcp(classify)]
        std::io::Error,
    ),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
    #[error("the answer had no `{0}` and `{1}` is odd")]
    #[mcp(
        kind = bad_response, code = "MAKE_ODD_ANSWER", message = "{{Make}} sent no {0:?}, {0}", severity = critical,
        hint = "Ask for {0} and {1:>4}.", retryable = true, trips_breaker = false, fallback = false, protocol = -33001
    )]
    Odd(&'static str, #[mcp(detail)] u8),
}

/// The results of all methods of an error.
#[derive(Debug, PartialEq)]
struct Answers {
    kind: ErrorKind,
    retry_after: Option<Duration>,
    code: String,
    public_message: String,
    hint: Option<String>,
    flags: [bool; 3],
    severity: Severity,
    details: Map<String, Value>,
    protocol_code: Option<i32>,
    as_resilience: Option<ResilienceError>,
}

fn ask(error: &dyn ToolError) -> Answers {
    Answers {
        kind: error.kind(),
        retry_after: error.retry_after(),
        code: error.code().into_owned(),
        public_message: error.public_message().into_owned(),
        hint: error.hint().map(Cow::into_owned),
        flags: [error.is_retryable(), error.trips_breaker(), error.falls_back()],
        severity: error.severity(),
        details: error.details(),
        protocol_code: error.protocol_code(),
        as_resilience: error.as_resilience().cloned(),
    }
}

/// Returns the defaults for an error of this kind.
fn follows_from(kind: ErrorKind, code: &str, public_message: &str) -> Answers {
    Answers {
        kind,
        retry_after: None,
        code: code.to_owned(),
        public_message: public_message.to_owned(),
        hint: Some(kind.default_hint().to_owned()),
        flags: [kind.is_retryable(), kind.trips_breaker(), kind.falls_back()],
        severity: kind.severity(),
        details: Map::new(),
        protocol_code: None,
        as_resilience: None,
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[test]
fn no_lint_fires_on_what_is_generated() {
    // The lints of rustc and clippy ran when this crate was built.
    assert_eq!(quiet::Quiet::CODES, ["QUIET_WORDS", "QUIET_STATUS", "QUIET_CLASSIFIED", "QUIET_UNIT"]);
    assert_eq!(quiet::Private.code(), "PRIVATE");
}
