//! The errors of an audit, and what clients see of them.

use std::io;

use resilient_runtime::{CallContext, McpError, ResilienceError, ToolError};

use super::types::{LARGEST_SOURCE, Unreadable};

/// Why an audit failed.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "AUDIT")]
pub enum AuditError {
    /// The path is outside of the auditor's root.
    #[error("`{path}` is not below the auditor's root")]
    #[mcp(kind = permission_denied, public, hint = "Give a path below the root, relative to it and without `..`; `.` is the root itself.")]
    Outside {
        /// The requested path.
        path: String,
    },

    /// There is no such directory.
    #[error("there is no directory `{path}` below the auditor's root")]
    #[mcp(kind = not_found, hint = "Give a directory, relative to the auditor's root; `.` is the root itself.")]
    NoSuchDirectory {
        /// The requested path.
        path: String,
    },

    /// The code is too long.
    #[error("the code has {bytes} bytes, expected at most {LARGEST_SOURCE}")]
    #[mcp(kind = invalid_input, hint = "Analyze one module at a time.")]
    TooLarge {
        /// Its length.
        #[mcp(detail)]
        bytes: usize,
    },

    /// The parser rejects the code.
    // `invalid_input` does not fall back by default, but the scan by patterns can report on such code too.
    #[error("the parser stopped at {place}:{error}")]
    #[mcp(kind = invalid_input, fallback = true)]
    Unreadable {
        /// The file.
        place: String,
        /// The position and the reason.
        error: Unreadable,
    },

    /// The call ended before the audit did.
    #[error("the audit was stopped")]
    #[mcp(kind = cancelled)]
    Stopped,

    /// The worker panicked.
    #[error("the worker ended without an answer")]
    #[mcp(kind = internal)]
    WorkerLost,

    /// The directory cannot be read, or the thread cannot be started.
    #[error("this machine refused something")]
    Io(
        #[from]
        #[mcp(classify)]
        io::Error,
    ),

    /// A policy ended the call: timeout, full bulkhead, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

impl AuditError {
    /// Adds the parser's message to the response of the fallback, as a warning.
    pub(super) fn warn(&self) {
        if let (Self::Unreadable { .. }, Some(call)) = (self, CallContext::current()) {
            call.warn(self.public_message());
        }
    }
}
