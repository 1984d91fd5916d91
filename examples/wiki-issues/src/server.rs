//! The server: the tools of `wiki`, `issues` and `changes` together.

use resilient_runtime::resilient;
use rmcp::{ServerHandler, handler::server::router::tool::ToolRouter, tool_handler};

use super::site::Site;

/// Confluence and Jira for MCP clients.
#[derive(Clone, Debug)]
pub(super) struct WikiIssues {
    pub(super) site: Site,
}

impl WikiIssues {
    pub(super) fn new(site: Site) -> Self {
        Self { site }
    }

    /// The router of all tools.
    pub(super) fn tools() -> ToolRouter<Self> {
        Self::wiki() + Self::issues() + Self::changes()
    }
}

#[resilient]
#[tool_handler(
    name = "wiki-issues",
    router = Self::tools(),
    instructions = "Pages are in Confluence, issues in Jira. When an answer says `performed: false`, nothing was found or changed: pass \
                    on to the user what `by_hand` says. When it says that it is old, say so when you use it."
)]
impl ServerHandler for WikiIssues {}
