//! The errors of tools and of the requests that a handler serves itself.

use std::sync::Arc;

use super::Registry;
use crate::statistics::{ErrorGroup, ErrorTrend, RecentError, ToolStatistics};

impl Registry {
    /// Returns the most recent errors of tools and of the requests that a handler serves itself, newest first: at most
    /// 100 per tool or MCP method and 1,000 in total. Rejections by breakers and limits are not included, since they
    /// would soon displace everything else.
    #[must_use]
    pub fn recent_errors(&self) -> Vec<RecentError> {
        self.recent.read()
    }

    /// Returns all errors of tools and of the requests that a handler serves itself so far, grouped by tool or MCP method
    /// and by code; the group with the most recent error is first.
    #[must_use]
    pub fn error_groups(&self) -> Vec<ErrorGroup> {
        ErrorGroup::of(&self.tools_and_requests())
    }

    /// Returns the errors of the last 24 hours, grouped like [`error_groups`](Self::error_groups), each group with its
    /// trend; the group with the most errors is first. Groups without an error in the last 24 hours are not included.
    #[must_use]
    pub fn error_trends(&self) -> Vec<ErrorTrend> {
        ErrorTrend::of(&self.tools_and_requests())
    }

    /// Returns the number of errors of a tool, or of an MCP method, in each of the last 24 hours, the oldest first: the
    /// sum of the `hours` of its [`error_trends`](Self::error_trends). If there is no such tool or method, it is zero.
    #[must_use]
    pub fn errors_by_hour(&self, tool: &str) -> [u64; 24] {
        let inner = self.lock();
        let statistics = inner.tools.get(tool).or_else(|| inner.requests.get(tool)).cloned();
        drop(inner);
        statistics.map_or([0; 24], |statistics| statistics.hours())
    }

    fn tools_and_requests(&self) -> Vec<(Arc<str>, Arc<ToolStatistics>)> {
        let inner = self.lock();
        let tools = inner.tools.iter().map(|(name, counted)| (Arc::clone(name), Arc::clone(counted)));
        let requests = inner.requests.iter().map(|(method, counted)| (Arc::from(*method), Arc::clone(counted)));
        tools.chain(requests).collect()
    }
}
