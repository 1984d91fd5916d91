//! The most recent errors of tools and of other requests: what the client received, and the id under which the log has the details.
//!
//! Rejections by a breaker, bulkhead or rate limit are counted but not kept here: during an outage they would
//! displace everything else.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use resilient_policy::ErrorKind;

use crate::identity::{CorrelationId, Principal};

/// The maximum number of errors that are kept per tool, and in total.
const MOST_OF_ONE: usize = 100;
const MOST: usize = 1_000;

/// An error that a call of a tool, or another request, ended with.
///
/// ```
/// use resilient_runtime::Registry;
///
/// for error in Registry::global().recent_errors() {
///     eprintln!("{} of {} ({}): {}", error.code, error.tool, error.correlation_id, error.text);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecentError {
    /// The wall-clock time of the error.
    pub at: SystemTime,
    /// The id of the call. The log has the details under this id, including those that clients must not see.
    pub correlation_id: CorrelationId,
    /// The name of the tool, or the MCP method of another request, such as `resources/read`.
    pub tool: Arc<str>,
    /// The code of the error, or `_OTHER`.
    pub code: Arc<str>,
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The error text that the client received.
    pub text: String,
    /// The number of characters of that text before it was cut.
    pub(crate) length: usize,
    /// The number of times the body was run.
    pub attempts: u32,
    /// The principal that made the call, if known.
    pub principal: Option<Principal>,
}

/// The most recent errors of all tools of a registry.
#[derive(Default)]
pub(crate) struct RecentErrors(Mutex<ErrorLog>);

#[derive(Default)]
struct ErrorLog {
    /// Oldest first.
    last: VecDeque<RecentError>,
    of_one: HashMap<Arc<str>, usize>,
}

impl RecentErrors {
    pub(crate) fn record(&self, error: RecentError) {
        let mut log = self.lock();
        let tool = &error.tool;
        let of_one = log.of_one.get(tool).copied().unwrap_or(0);
        let oldest = if of_one >= MOST_OF_ONE {
            log.last.iter().position(|known| known.tool == *tool)
        } else {
            (log.last.len() >= MOST).then_some(0)
        };
        if let Some(gone) = oldest.and_then(|at| log.last.remove(at))
            && let Some(count) = log.of_one.get_mut(&gone.tool)
        {
            *count -= 1;
        }
        *log.of_one.entry(Arc::clone(tool)).or_default() += 1;
        log.last.push_back(error);
    }

    /// Returns the kept errors, newest first.
    pub(crate) fn read(&self) -> Vec<RecentError> {
        self.lock().last.iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, ErrorLog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(tool: &str, code: &str, second: u64) -> RecentError {
        RecentError {
            at: SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second),
            correlation_id: CorrelationId::random(),
            tool: tool.into(),
            code: code.into(),
            kind: ErrorKind::Internal,
            text: String::new(),
            length: 0,
            attempts: 1,
            principal: None,
        }
    }

    #[test]
    fn the_last_hundred_of_a_tool_and_the_last_thousand_of_all_are_kept() {
        let recent = RecentErrors::default();
        for second in 0..150 {
            recent.record(error("loud", "A", second));
        }
        recent.record(error("quiet", "B", 150));
        let read = recent.read();
        assert_eq!((read.len(), &*read[0].tool), (101, "quiet"));
        assert_eq!(read[100].at, error("", "", 50).at);
        for n in 0..2_000 {
            recent.record(error(&format!("tool {}", n % 40), "C", 200 + n));
        }
        assert_eq!(recent.read().len(), 1_000);
        let log = recent.lock();
        assert_eq!(log.of_one.values().sum::<usize>(), 1_000);
    }
}
