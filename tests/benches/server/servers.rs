//! The servers: bare, bare with the same `_meta` as the guarded one, and guarded.

use std::sync::LazyLock;

use resilient_bench::Error;
use resilient_runtime::mcp::CALL_META;
use resilient_runtime::resilient;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolResponse, CallToolResult};
use rmcp::{ErrorData, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Two {
    a: i64,
    b: i64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Sum {
    sum: i64,
}

pub(crate) struct Bare;

#[tool_router]
impl Bare {
    /// Does nothing.
    #[tool]
    async fn nothing(&self) -> String {
        String::new()
    }

    /// Adds two numbers.
    #[tool]
    async fn sum(&self, Parameters(Two { a, b }): Parameters<Two>) -> Json<Sum> {
        Json(Sum { sum: a.wrapping_add(b) })
    }

    /// Adds two numbers, later.
    #[tool]
    async fn later(&self, Parameters(Two { a, b }): Parameters<Two>) -> Json<Sum> {
        tokio::task::yield_now().await;
        Json(Sum { sum: a.wrapping_add(b) })
    }
}

// The router is built only once, like ours, so that only the calls are compared.
#[tool_handler(router = BARE)]
impl ServerHandler for Bare {}

static BARE: LazyLock<ToolRouter<Bare>> = LazyLock::new(Bare::tool_router);

/// Like [`Bare`], but with the same `_meta` in its responses as the guarded server. The cost of more text in the
/// transport, serde and the client is not a cost of the guard.
pub(crate) struct Disclosing;

#[tool_router]
impl Disclosing {
    /// Does nothing.
    #[tool]
    async fn nothing(&self) -> Result<CallToolResult, ErrorData> {
        disclosed(String::new())
    }

    /// Adds two numbers.
    #[tool]
    async fn sum(&self, Parameters(Two { a, b }): Parameters<Two>) -> Result<CallToolResult, ErrorData> {
        disclosed(Json(Sum { sum: a.wrapping_add(b) }))
    }

    /// Adds two numbers, later.
    #[tool]
    async fn later(&self, Parameters(Two { a, b }): Parameters<Two>) -> Result<CallToolResult, ErrorData> {
        tokio::task::yield_now().await;
        disclosed(Json(Sum { sum: a.wrapping_add(b) }))
    }
}

/// An id as long as a random one, so that nothing is padded.
const ID: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

fn disclosed(answer: impl IntoCallToolResult) -> Result<CallToolResult, ErrorData> {
    let mut result = answer.into_call_tool_result()?;
    let call = json!({ "correlation_id": format!("{:032x}", std::hint::black_box(ID)), "attempts": 1 });
    if let CallToolResponse::Complete(result) = &mut result {
        result.meta.get_or_insert_default().0.insert(CALL_META.into(), call);
    }
    match result {
        CallToolResponse::Complete(result) => Ok(result),
        _ => Err(ErrorData::internal_error("no result", None)),
    }
}

#[tool_handler(router = DISCLOSING)]
impl ServerHandler for Disclosing {}

static DISCLOSING: LazyLock<ToolRouter<Disclosing>> = LazyLock::new(Disclosing::tool_router);

pub(crate) struct Guarded;

#[resilient(retry = 3, breaker = "server", timeout = "30s")]
#[tool_router(server_handler)]
impl Guarded {
    /// Does nothing.
    #[tool(annotations(read_only_hint = true))]
    async fn nothing(&self) -> Result<String, Error> {
        Ok(String::new())
    }

    /// Adds two numbers.
    #[tool(annotations(read_only_hint = true))]
    async fn sum(&self, Parameters(Two { a, b }): Parameters<Two>) -> Result<Json<Sum>, Error> {
        Ok(Json(Sum { sum: a.wrapping_add(b) }))
    }

    /// Adds two numbers, later.
    #[tool(annotations(read_only_hint = true))]
    async fn later(&self, Parameters(Two { a, b }): Parameters<Two>) -> Result<Json<Sum>, Error> {
        tokio::task::yield_now().await;
        Ok(Json(Sum { sum: a.wrapping_add(b) }))
    }
}
