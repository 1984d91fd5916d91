//! A server whose dependency is down, and that adds to the extensions of a request what its transport would add.

use std::sync::Arc;

use resilient_runtime::identity::Principal;
use resilient_runtime::resilient;
use resilient_runtime::testing::Lab;
use resilient_runtime::testing::deferred::{MemoryStore, defer_to};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{Client, connect};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolRequestParams, CallToolResponse};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};

/// How requests arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    Stdio,
    /// Over HTTP, with this value of `Authorization` and this principal of the application.
    Http(Option<&'static str>, Option<&'static str>),
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
pub(super) struct Write {
    request_id: Option<String>,
}

#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
struct Written {
    id: u32,
}

/// The server.
#[derive(Clone)]
pub(super) struct Down {
    via: Via,
    router: Arc<ToolRouter<Self>>,
}

#[resilient]
#[tool_router(router = block)]
impl Down {
    /// Writes.
    #[resilient(fallback = deferred, deferred(key = req.request_id))]
    #[tool]
    async fn write_text(&self, Parameters(req): Parameters<Write>) -> Result<String, Failure> {
        req.request_id.map(|_| "written".to_owned()).filter(|_| false).ok_or(Failure::Down)
    }

    /// Writes, with a result for programs.
    #[resilient(fallback = deferred, deferred(key = req.request_id, tries = 1))]
    #[tool]
    async fn write_typed(&self, Parameters(req): Parameters<Write>) -> Result<Json<Written>, Failure> {
        req.request_id.map(|_| Json(Written { id: 1 })).filter(|_| false).ok_or(Failure::Down)
    }
}

#[resilient]
#[tool_router(router = status)]
impl Down {
    /// A tool with the name of the ready-made one.
    #[tool(annotations(read_only_hint = true))]
    async fn deferred_status(&self) -> Result<String, Failure> {
        Ok("waiting".into())
    }
}

#[resilient]
#[tool_router(router = other)]
impl Down {
    /// Writes through the function of another tool.
    #[resilient(skip)]
    #[tool]
    async fn write(&self, request: Parameters<Write>) -> Result<Json<Written>, Failure> {
        self.write_typed(request).await
    }
}

impl Down {
    pub(super) fn new(via: Via) -> Self {
        Self { via, router: Arc::new(Self::block()) }
    }

    pub(super) fn with_status_tool(via: Via) -> Self {
        Self { via, router: Arc::new(resilient_runtime::mcp::instrument(Self::block() + Self::status())) }
    }

    /// A server with another tool, which calls `write_typed`: a tool says once in a process that it stores nothing.
    pub(super) fn with_other_tool(via: Via) -> Self {
        Self { via, router: Arc::new(Self::block() + Self::other()) }
    }

    /// Calls a tool's function without a route.
    pub(super) async fn direct(&self) -> Result<String, Failure> {
        self.write_text(Parameters(Write { request_id: Some("1".into()) })).await
    }
}

impl ServerHandler for Down {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Via::Http(authorization, principal) = self.via {
            let mut http = http::Request::new(());
            if let Some(authorization) = authorization {
                http.headers_mut().insert("authorization", authorization.parse().expect("a value of a header"));
            }
            if let Some(principal) = principal {
                http.extensions_mut().insert(Principal::new(principal));
            }
            context.extensions.insert(http.into_parts().0);
        }
        self.router.call(ToolCallContext::new(self, request, context)).await
    }
}

/// Serves, with a store.
pub(super) async fn serve(lab: &Lab, server: Down) -> (Client, MemoryStore) {
    let store = MemoryStore::default();
    defer_to(lab.registry(), Arc::new(store.clone()), "down");
    (connect(server).await, store)
}
