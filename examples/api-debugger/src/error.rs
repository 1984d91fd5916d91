//! Why there is no answer to show. What a client reads names the host, and never a path, a query or the value of a header.

use resilient_runtime::{McpError, ResilienceError};

/// Every way in which `test_api` fails.
///
/// A mistake in the arguments, and what is not allowed, say nothing about the host and are neutral for its breaker.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "API")]
pub enum ApiError {
    /// The URL is none that is sent.
    #[error("the URL {problem}")]
    #[mcp(kind = invalid_input, hint = "Use a whole address such as https://api.example.com/orders?page=2.")]
    BadUrl {
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A header is none that is sent.
    #[error("the header {header} {problem}")]
    #[mcp(kind = invalid_input, hint = "Leave this header out, or correct it.")]
    BadHeader {
        /// Its name, or words for it where the name itself is wrong.
        header: String,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// The operator has not named this host.
    #[error("the host `{host}` is not on the list")]
    #[mcp(
        kind = permission_denied,
        message = "the host `{host}` is not among those that this server may ask. Nothing was sent.",
        hint = "Ask the user to add `{host}` to API_DEBUGGER_HOSTS in this server's environment and to restart it."
    )]
    NotAllowed {
        /// The host, with its port if the URL has one.
        host: String,
    },

    /// The host is inside, on this machine or beside it.
    #[error("`{host}` is not on the public internet")]
    #[mcp(
        kind = permission_denied,
        message = "`{host}` is, or resolves to, an address that is not on the public internet. Nothing was sent.",
        hint = "Only hosts with public addresses can be tested; no setting changes that."
    )]
    NotPublic {
        /// The host, with its port if the URL has one.
        host: String,
    },

    /// The host gave no answer: it could not be found or reached, or closed the connection.
    // Who debugs an API needs the cause, and it is about the connection alone. The log has it from the source.
    #[error("no answer from {host}")]
    #[mcp(
        message = "no answer from `{host}`: {cause}",
        hint = "See from the cause whether the name, the port, the certificate or the host itself is at fault."
    )]
    NoAnswer {
        /// The host, with its port if the URL has one.
        host: String,
        /// The error with those behind it.
        cause: String,
        /// What the kind follows from. It does not show the URL.
        #[mcp(classify)]
        source: reqwest::Error,
    },

    /// The call was ended by its policy: timeout, open breaker, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
