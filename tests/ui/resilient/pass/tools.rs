//! Every extractor and every return type of rmcp, with and without a handler of one's own.
#![deny(warnings)]

use resilient_runtime::{resilient, ResilienceError};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::{Extension, RequestId, ToolName};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, Extensions, JsonObject, RequestMetaObject};
use rmcp::service::RequestContext;
use rmcp::{tool, tool_handler, tool_router, ErrorData, Peer, RoleServer, ServerHandler};

#[derive(Clone, serde::Deserialize, schemars::JsonSchema)]
struct Asked {
    a: u32,
}

#[derive(Clone, serde::Serialize, schemars::JsonSchema)]
struct Told {
    a: u32,
}

#[derive(Clone)]
struct Mine;

struct Server;

#[resilient(retry = 1, breaker = "tools")]
#[tool_router(router = reads)]
impl Server {
    /// Extractors, all to be copied for a second attempt.
    #[tool(annotations(read_only_hint = true))]
    async fn extractors(
        &self,
        context: RequestContext<RoleServer>,
        peer: Peer<RoleServer>,
        Extension(_mine): Extension<Mine>,
        extensions: Extensions,
        ToolName(name): ToolName,
        id: RequestId,
        Parameters(Asked { a }): Parameters<Asked>,
    ) -> Result<Json<Told>, ErrorData> {
        let _ = (context, peer, extensions, name, id);
        Ok(Json(Told { a }))
    }

    /// The rest of them.
    #[resilient(fallback = cached)]
    #[tool]
    async fn more(&self, meta: RequestMetaObject, object: JsonObject) -> Result<CallToolResult, ResilienceError> {
        let _ = (meta, object);
        Ok(CallToolResult::success(vec![]))
    }

    /// A structured answer is kept.
    #[resilient(fallback = cached)]
    #[tool]
    async fn kept(&self) -> Result<Json<Told>, ErrorData> {
        Ok(Json(Told { a: 1 }))
    }
}

#[resilient(timeout = "3s")]
#[tool_router(router = others, vis = "pub(crate)")]
impl Server {
    /// Not async.
    #[tool]
    fn sync(&self) -> String {
        String::new()
    }

    /// No result.
    #[tool]
    async fn text(&self) -> String {
        String::new()
    }

    /// No result.
    #[tool]
    async fn json(&self) -> Json<Told> {
        Json(Told { a: 1 })
    }

    /// Nothing.
    #[tool]
    async fn nothing(&self) {}

    /// A block.
    #[tool]
    async fn block(&self) -> ContentBlock {
        ContentBlock::text("")
    }

    /// rmcp's own.
    #[tool]
    async fn result(&self) -> CallToolResult {
        CallToolResult::success(vec![])
    }

    /// rmcp's own.
    #[tool]
    async fn response(&self) -> CallToolResponse {
        CallToolResult::success(vec![]).into()
    }

    /// With an error of rmcp's.
    #[tool]
    async fn response_or_error(&self) -> Result<CallToolResponse, ErrorData> {
        Ok(CallToolResult::success(vec![]).into())
    }

    /// Refuses all keys.
    #[resilient(skip)]
    #[tool]
    async fn skipped(&self) -> Result<String, String> {
        Ok(String::new())
    }

    fn helper(&self) -> u32 {
        1
    }
}

#[resilient]
#[tool_handler(router = Self::reads() + Self::others())]
impl ServerHandler for Server {}

struct Generic<T>(T);

#[resilient]
#[tool_router(server_handler)]
impl<T> Generic<T>
where
    T: Clone + Send + Sync + 'static,
{
    /// Generic.
    #[resilient(timeout = "1s")]
    #[tool]
    async fn generic(&self) -> Result<String, ErrorData> {
        let _ = self.0.clone();
        Ok(String::new())
    }
}

struct WithField {
    tool_router: ToolRouter<Self>,
}

#[resilient]
#[tool_router]
impl WithField {
    /// One.
    #[tool]
    async fn one(&self) -> Result<String, ErrorData> {
        Ok(String::new())
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for WithField {}

/// A free function as a route.
#[resilient(retry = 1)]
#[tool(annotations(idempotent_hint = true))]
async fn free(Parameters(asked): Parameters<Asked>) -> Result<String, ErrorData> {
    Ok(asked.a.to_string())
}

fn main() {
    let _ = Server.helper();
    assert_eq!(Server::reads().list_all().len(), 3);
    assert_eq!(Server::others().list_all().len(), 9);
    assert_eq!(Generic::<u32>::tool_router().list_all().len(), 1);
    assert_eq!(WithField { tool_router: WithField::tool_router() }.tool_router.list_all().len(), 1);
    let router = ToolRouter::<Server>::new().with_route((free_tool_attr(), free));
    let extractors = Server::reads().get("extractors").cloned().expect("a tool");
    assert_eq!(extractors.description.as_deref(), Some("Extractors, all to be copied for a second attempt."));
    assert!(extractors.output_schema.is_some());
    assert_eq!(resilient_runtime::mcp::instrument(router).list_all().len(), 1);
}
