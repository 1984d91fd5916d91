//! Deferred writes as tasks of the tasks extension (SEP-2663).

use std::time::{Duration, SystemTime};

use rmcp::model::{CreateTaskResult, Task, TaskStatus};

use crate::clock::saturating_millis;
use crate::deferred::{Accepted, Timestamp};

/// The shortest interval between two polls that a client is asked for.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// A handler of this crate serves the request, so that the client can ask it for the task. The handler puts it into the
/// extensions of the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThroughHandler {
    /// Whether the router of the handler has the tool `deferred_status`.
    pub(crate) has_status_tool: bool,
}

/// Returns the result of a call that was accepted, for a client that knows tasks.
pub(crate) fn created(accepted: &Accepted) -> CreateTaskResult {
    let (created, now) = (rfc3339(accepted.summary.created), rfc3339(accepted.now));
    let interval = accepted.next_attempt().max(SHORTEST_INTERVAL);
    let task = Task::new(accepted.receipt().to_string(), TaskStatus::Working, created, now)
        .with_ttl_ms(saturating_millis(accepted.expires()))
        .with_poll_interval_ms(saturating_millis(interval));
    CreateTaskResult::new(task)
}

/// Formats a time as in RFC 3339.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    crate::error::rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(at.millis()))
}
