//! What can go wrong in an audit, and what a client may know of it.

use std::io;

use resilient_runtime::{CallContext, McpError, ResilienceError, ToolError};

use super::types::{LARGEST_SOURCE, Unreadable};

/// Every way in which an audit fails.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "AUDIT")]
pub enum AuditError {
    /// The path leads out of the auditor's root.
    #[error("`{path}` is not below the auditor's root")]
    #[mcp(kind = permission_denied, public, hint = "Give a path below the root, relative to it and without `..`; `.` is the root itself.")]
    Outside {
        /// The path that was asked for.
        path: String,
    },

    /// There is no such directory.
    #[error("there is no directory `{path}` below the auditor's root")]
    #[mcp(kind = not_found, hint = "Give a directory, relative to the auditor's root; `.` is the root itself.")]
    NoSuchDirectory {
        /// The path that was asked for.
        path: String,
    },

    /// The code is too long.
    #[error("the code has {bytes} bytes, expected at most {LARGEST_SOURCE}")]
    #[mcp(kind = invalid_input, hint = "Analyze one module at a time.")]
    TooLarge {
        /// How long it is.
        #[mcp(detail)]
        bytes: usize,
    },

    /// The parser does not understand the code.
    // The caller's mistake, which alone would not fall back. But something can be said about such code without a parser.
    #[error("the parser stopped at {place}:{error}")]
    #[mcp(kind = invalid_input, fallback = true)]
    Unreadable {
        /// The file.
        place: String,
        /// Where in it, and why.
        error: Unreadable,
    },

    /// Nobody waits for the audit any more.
    #[error("the audit was stopped")]
    #[mcp(kind = cancelled)]
    Stopped,

    /// The worker ended without an answer: it panicked.
    #[error("the worker ended without an answer")]
    #[mcp(kind = internal)]
    WorkerLost,

    /// The directory cannot be read, or no worker can be started.
    #[error("this machine refused something")]
    Io(
        #[from]
        #[mcp(classify)]
        io::Error,
    ),

    /// The call was ended by its policy: timeout, full bulkhead, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

impl AuditError {
    /// Tells the client beside the answer that stands in for the analysis what was wrong with the code.
    pub(super) fn warn(&self) {
        if let (Self::Unreadable { .. }, Some(call)) = (self, CallContext::current()) {
            call.warn(self.public_message());
        }
    }
}
