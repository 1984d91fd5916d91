//! The errors. Clients see the host, but never a path, a query or the value of a header.

use resilient_runtime::{McpError, ResilienceError};

/// Why `test_api` failed.
///
/// Invalid arguments and forbidden hosts are neutral for the breaker, because they say nothing about the host.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "API")]
pub enum ApiError {
    /// The URL is invalid.
    #[error("the URL {problem}")]
    #[mcp(kind = invalid_input, hint = "Use a whole address such as https://api.example.com/orders?page=2.")]
    BadUrl {
        /// The mistake.
        problem: &'static str,
    },

    /// A header is invalid.
    #[error("the header {header} {problem}")]
    #[mcp(kind = invalid_input, hint = "Leave this header out, or correct it.")]
    BadHeader {
        /// Its name, or a description if the name itself is invalid.
        header: String,
        /// The mistake.
        problem: &'static str,
    },

    /// The operator has not listed this host.
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

    /// The host is on this machine or in its network.
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

    /// There was no response: the host could not be found or reached, or closed the connection.
    // The client sees the cause, because debugging needs it, and it only describes the connection. The log has the
    // source.
    #[error("no answer from {host}")]
    #[mcp(
        message = "no answer from `{host}`: {cause}",
        hint = "See from the cause whether the name, the port, the certificate or the host itself is at fault."
    )]
    NoAnswer {
        /// The host, with its port if the URL has one.
        host: String,
        /// The messages of the error and its sources.
        cause: String,
        /// The error that decides the kind. It does not contain the URL.
        #[mcp(classify)]
        source: reqwest::Error,
    },

    /// A policy ended the call: timeout, open breaker, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
