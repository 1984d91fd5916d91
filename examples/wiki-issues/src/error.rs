//! What can go wrong between a tool and Atlassian, and what a client may know of it.

use std::{fmt, time::Duration};

use resilient_runtime::{CallContext, McpError, ResilienceError};

/// The two services of a site. Each has a breaker of its own: the one may be down while the other works.
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

/// Every way in which a tool of this server fails. What Atlassian wrote is in the log, and in an answer where it says what is wrong
/// with the arguments.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "ATLASSIAN")]
pub(super) enum AtlassianError {
    #[error("{service} refused the sign-in: {body}")]
    #[mcp(
        kind = unauthenticated,
        message = "{service} does not accept this server's account.",
        hint = "Do not repeat the call; the operator has to check ATLASSIAN_EMAIL and ATLASSIAN_TOKEN."
    )]
    SignIn { service: Service, body: String },

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
        /// Where the service names them.
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

    // To wait is better than an old answer, or than work by hand.
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

    /// There was no connection, so nothing was sent.
    #[error("cannot connect to {service}")]
    #[mcp(kind = connection, message = "{service} cannot be reached.")]
    NotSent { service: Service, source: reqwest::Error },

    #[error("the connection to {service} broke")]
    Lost {
        service: Service,
        #[mcp(classify)]
        source: reqwest::Error,
    },

    /// A change was sent, and there is no answer that says what became of it.
    #[error("Jira did not confirm the change")]
    #[mcp(
        kind = unavailable,
        // Nobody should do by hand what may have been done.
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
    /// The same, of a change: what leaves open whether it was made says so.
    pub(super) fn of_change(self) -> Self {
        let is_open = match &self {
            Self::Lost { .. } | Self::BadResponse { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        };
        if is_open { Self::Unconfirmed { source: Some(Box::new(self)) } } else { self }
    }

    /// Whether it is certain, in a fallback, that nothing reached the service.
    pub(super) fn nothing_was_sent(&self) -> bool {
        let never_ran = CallContext::current().is_some_and(|call| call.attempt() == 0);
        never_ran || matches!(self, Self::NotSent { .. } | Self::ReadOnly)
    }
}
