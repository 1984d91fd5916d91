//! Every extractor of rmcp, moved into one attempt and copied for a second one.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::{ResilienceError, resilient};
use rmcp::handler::server::prompt::PromptName;
use rmcp::handler::server::tool::{Extension, InputResponses, RequestId, RequestState, ToolName};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Extensions, GetPromptResult, JsonObject, RequestMetaObject};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, Peer, RoleServer, prompt, prompt_router, tool, tool_router};
use tokio_util::sync::CancellationToken;

/// The arguments.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
pub struct Asked {
    /// The value.
    pub number: u32,
}

/// Arguments that cannot be copied.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
pub struct AskedOnce {
    /// The value.
    pub number: u32,
}

/// An extension that a transport inserts.
#[derive(Debug, Clone)]
pub struct Mine(pub u32);

#[derive(Debug, Clone, Copy)]
struct Server;

#[resilient(timeout = "5s")]
#[tool_router]
impl Server {
    /// Moved.
    #[allow(clippy::too_many_arguments)]
    #[tool]
    async fn moved(
        &self,
        context: RequestContext<RoleServer>,
        peer: Peer<RoleServer>,
        cancelled: CancellationToken,
        Extension(Mine(mine)): Extension<Mine>,
        extensions: Extensions,
        ToolName(name): ToolName,
        RequestId(id): RequestId,
        Parameters(AskedOnce { number }): Parameters<AskedOnce>,
    ) -> Result<String, ErrorData> {
        drop((context, peer, extensions));
        Ok(format!("{mine}{name}{id}{number}{}", cancelled.is_cancelled()))
    }

    /// Moved, the rest of them.
    #[tool]
    async fn moved_too(
        &self,
        meta: RequestMetaObject,
        state: RequestState,
        responses: InputResponses,
        object: JsonObject,
    ) -> Result<String, ErrorData> {
        drop((responses.0, meta));
        Ok(format!("{}{:?}", object.len(), state.0))
    }

    // Above the documentation: rmcp only reads documentation that no other attribute follows.
    #[allow(clippy::too_many_arguments)]
    /// Described, extractors and all.
    #[resilient(retry = 1, fallback = [cached, Self::substitute])]
    #[tool(annotations(read_only_hint = true))]
    async fn copied(
        &self,
        context: RequestContext<RoleServer>,
        peer: Peer<RoleServer>,
        cancelled: CancellationToken,
        Extension(Mine(mine)): Extension<Mine>,
        extensions: Extensions,
        ToolName(name): ToolName,
        RequestId(id): RequestId,
        Parameters(Asked { number }): Parameters<Asked>,
    ) -> Result<String, ErrorData> {
        drop((context, peer, extensions));
        Ok(format!("{mine}{name}{id}{number}{}", cancelled.is_cancelled()))
    }

    /// Copied, the rest of them.
    #[resilient(retry = 1)]
    #[tool(annotations(idempotent_hint = true))]
    async fn copied_too(
        &self,
        meta: RequestMetaObject,
        state: RequestState,
        responses: InputResponses,
        object: JsonObject,
    ) -> Result<String, ErrorData> {
        drop((responses.0, meta));
        Ok(format!("{}{:?}", object.len(), state.0))
    }

    #[allow(clippy::too_many_arguments)]
    async fn substitute(
        &self,
        _: RequestContext<RoleServer>,
        _: Peer<RoleServer>,
        cancelled: CancellationToken,
        _: Extension<Mine>,
        _: Extensions,
        name: ToolName,
        _: RequestId,
        asked: Parameters<Asked>,
        error: &ErrorData,
    ) -> Result<String, ErrorData> {
        cancelled.cancelled().await;
        Ok(format!("{}{}{}", name.0, asked.0.number, error.message))
    }
}

#[prompt_router]
impl Server {
    /// Copied.
    #[resilient(retry = 1)]
    #[prompt]
    async fn asks(
        &self,
        context: RequestContext<RoleServer>,
        PromptName(name): PromptName,
        Parameters(asked): Parameters<Asked>,
    ) -> Result<GetPromptResult, ErrorData> {
        drop((context, name, asked));
        Ok(GetPromptResult::new(vec![]))
    }

    /// Moved.
    #[resilient]
    #[prompt]
    async fn asks_once(
        &self,
        PromptName(name): PromptName,
        Extension(Mine(mine)): Extension<Mine>,
        Parameters(asked): Parameters<AskedOnce>,
    ) -> Result<GetPromptResult, ErrorData> {
        Err(ResilienceError::Cancelled).map_err(|error| {
            drop((name, mine, asked));
            error.into()
        })
    }
}

fn main() {
    let copied = Server::tool_router().get("copied").cloned().expect("a tool");
    assert_eq!(copied.description.as_deref(), Some("Described, extractors and all."));
    assert!(copied.input_schema.contains_key("properties"));
    assert_eq!(Server::tool_router().list_all().len(), 4);
    assert_eq!(Server::prompt_router().list_all().len(), 2);
}
