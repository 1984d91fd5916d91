//! The last errors, as clients could read them: nobody is told whose they were.

use serde::Serialize;

use crate::clock::unix_millis;
use crate::registry::Registry;
use crate::statistics::{ErrorGroup, RecentError};

/// Errors of the tools of this server.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
pub(crate) struct Errors {
    /// All that there have been since the start, by tool and code; those with the latest one first.
    groups: Vec<Group>,
    /// The last ones, newest first.
    errors: Vec<Shown>,
}

/// The errors of one tool with one code.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Group {
    /// The tool.
    tool: String,
    /// The code.
    code: String,
    /// The class of the error.
    kind: &'static str,
    /// How many there have been.
    count: u64,
    /// When the first one was.
    first_unix_ms: u64,
    /// When the last one was.
    last_unix_ms: u64,
}

/// One error.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
struct Shown {
    /// When it was.
    at_unix_ms: u64,
    /// The id under which the log has the rest.
    correlation_id: String,
    /// The tool.
    tool: String,
    /// The code.
    code: String,
    /// The class of the error.
    kind: &'static str,
    /// What the client was told.
    text: String,
    /// How often the tool had been run.
    attempts: u32,
}

impl Errors {
    /// Of one tool or of all; of single errors at most so many, and only those that may be shown.
    pub(crate) fn of(
        registry: &Registry,
        tool: Option<&str>,
        most: usize,
        may_be_shown: impl Fn(&RecentError) -> bool,
    ) -> Self {
        let is_asked_for = |name: &str| tool.is_none_or(|tool| tool == name);
        let groups = registry.error_groups().into_iter().filter(|group| is_asked_for(&group.tool));
        let errors = registry.recent_errors().into_iter().filter(|error| is_asked_for(&error.tool));
        Self {
            groups: groups.map(Group::from).collect(),
            errors: errors.filter(may_be_shown).take(most).map(Shown::from).collect(),
        }
    }
}

impl From<ErrorGroup> for Group {
    fn from(group: ErrorGroup) -> Self {
        Self {
            tool: group.tool.to_string(),
            code: group.code.to_string(),
            kind: group.kind.as_str(),
            count: group.count,
            first_unix_ms: unix_millis(group.first),
            last_unix_ms: unix_millis(group.last),
        }
    }
}

impl From<RecentError> for Shown {
    fn from(error: RecentError) -> Self {
        Self {
            at_unix_ms: unix_millis(error.at),
            correlation_id: error.correlation_id.to_string(),
            tool: error.tool.to_string(),
            code: error.code.to_string(),
            kind: error.kind.as_str(),
            text: error.text,
            attempts: error.attempts,
        }
    }
}
