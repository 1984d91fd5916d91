//! The errors of the tools, and what clients see of them.

use std::{fmt, time::Duration};

use resilient_runtime::{CallContext, McpError, ResilienceError};

use super::token::Token;

/// The two services of a site. Each has its own breaker, because one may be down while the other works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Confluence,
    Jira,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a tool failed. Atlassian's text is logged; clients see it only if it describes a mistake in the arguments.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "ATLASSIAN")]
pub(super) enum AtlassianError {
    /// The site does not accept the token. It has not executed the request.
    #[error("{service} refused the sign-in: {body}")]
    #[mcp(
        kind = unauthenticated,
        message = "{service} does not accept this server's account.",
        hint = "Do not repeat the call; the operator has to check ATLASSIAN_EMAIL and ATLASSIAN_TOKEN."
    )]
    SignIn {
        service: Service,
        /// The token of the request, to be compared with the one in the file. Neither text shows it.
        refused: Token,
        body: String,
    },

    #[error("the token's file is gone")]
    #[mcp(
        kind = permission_denied,
        message = "The operator has withdrawn this server's access to Confluence and Jira.",
        hint = "Do not repeat the call; do not use what earlier calls returned, and tell the user."
    )]
    Withdrawn,

    #[error("{service} forbids it: {body}")]
    #[mcp(
        kind = permission_denied,
        message = "This server's account may not do this in {service}.",
        hint = "Do not repeat the call; ask the user for access to the space or project."
    )]
    Forbidden { service: Service, body: String },

    #[error("no page {id}, or none that this account may see")]
    #[mcp(kind = not_found, hint = "Check the id; search_pages finds pages by their text.")]
    NoSuchPage {
        #[mcp(detail)]
        id: u64,
    },

    #[error("no issue {issue}, or none that this account may see")]
    #[mcp(kind = not_found, hint = "Check the key; search_issues finds issues by JQL.")]
    NoSuchIssue {
        #[mcp(detail)]
        issue: String,
    },

    #[error("{service} did not accept what it was sent: {complaint}")]
    #[mcp(kind = invalid_input, hint = "Correct what is named, see that all required fields are there, and call again.")]
    Invalid {
        service: Service,
        /// The fields that the service rejects.
        #[mcp(detail)]
        fields: Vec<String>,
        complaint: String,
    },

    #[error("the transition {transition} is not possible from the present status of {issue}: {complaint}")]
    #[mcp(
        kind = failed_precondition,
        hint = "Check get_transitions first: it lists what is possible from the present status."
    )]
    NoSuchTransition {
        #[mcp(detail)]
        issue: String,
        #[mcp(detail)]
        transition: String,
        complaint: String,
    },

    // Waiting is better than an old response or manual steps.
    #[error("{service} limits the rate of requests")]
    #[mcp(kind = rate_limited, fallback = false, message = "{service} accepts no more requests for the moment.")]
    RateLimited {
        service: Service,
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },

    #[error("{service} answered with HTTP {status}: {body}")]
    #[mcp(
        message = "{service} answered with HTTP status {status}.",
        hint = "Check the arguments; if they are right, status.atlassian.com says whether the service is up."
    )]
    Status {
        service: Service,
        #[mcp(status, detail)]
        status: u16,
        #[mcp(retry_after)]
        wait: Option<Duration>,
        body: String,
    },

    #[error("{service}'s answer cannot be read")]
    #[mcp(kind = bad_response)]
    BadResponse { service: Service, source: serde_json::Error },

    /// The connection failed, so nothing was sent.
    #[error("cannot connect to {service}")]
    #[mcp(kind = connection, message = "{service} cannot be reached.")]
    NotSent { service: Service, source: reqwest::Error },

    #[error("the connection to {service} broke")]
    Lost {
        service: Service,
        #[mcp(classify)]
        source: reqwest::Error,
    },

    /// A change was sent, but the response is missing.
    #[error("Jira did not confirm the change")]
    #[mcp(
        kind = unavailable,
        // No manual steps: the change may have been made.
        fallback = false,
        message = "Jira did not confirm the change.",
        hint = "Check with get_issue or search_issues before you repeat it."
    )]
    Unconfirmed { source: Option<Box<AtlassianError>> },

    #[error("this server was started with ATLASSIAN_READ_ONLY=true")]
    #[mcp(kind = read_only, public)]
    ReadOnly,

    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

impl AtlassianError {
    /// Converts the error of a change: if the change may have been made, the result says so.
    pub(super) fn of_change(self) -> Self {
        let is_open = match &self {
            Self::Lost { .. } | Self::BadResponse { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        };
        if is_open { Self::Unconfirmed { source: Some(Box::new(self)) } } else { self }
    }

    /// Whether it is certain that no request of the call reached the service.
    pub(super) fn nothing_was_sent(&self) -> bool {
        let never_ran = CallContext::current().is_some_and(|call| call.attempt() == 0);
        never_ran || matches!(self, Self::NotSent { .. } | Self::ReadOnly)
    }
}
