//! The server: the tools of `wiki`, `issues` and `changes` together.

use resilient_runtime::resilient;
use rmcp::{
    RoleServer, ServerHandler, handler::server::router::tool::ToolRouter, model::JsonObject, service::RequestContext,
    tool_handler,
};

use super::{error::AtlassianError, site::Site};

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

    /// Refuses the call if the operator has withdrawn the access. As `authorize` of every tool it runs before the cache
    /// and the fallbacks, so that no earlier answer is returned. A check in the body of a tool would be bypassed.
    pub(super) async fn has_access(
        &self,
        _: &RequestContext<RoleServer>,
        _: &JsonObject,
    ) -> Result<(), AtlassianError> {
        if self.site.is_granted().await { Ok(()) } else { Err(AtlassianError::Withdrawn) }
    }

    /// Reads a refused token from its file again, as `before` of every retry.
    pub(super) async fn renew_token(&self, error: &AtlassianError) -> Result<(), AtlassianError> {
        self.site.renew_token(error).await
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
