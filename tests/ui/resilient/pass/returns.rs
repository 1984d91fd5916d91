//! Every return type of rmcp: with inherited keys, and with its own keys if it can carry an error.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::{McpError, ResilienceError, resilient};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, GetPromptResponse, GetPromptResult, InputRequiredResult,
    PromptMessage,
};
use rmcp::{ErrorData, prompt, prompt_router, tool, tool_router};

/// The answer.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Told {
    /// The value.
    pub number: u32,
}

/// The error.
#[derive(Debug, thiserror::Error, McpError)]
pub enum Failure {
    /// An error of the pipeline.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Copy)]
struct Server;

#[resilient(timeout = "5s", breaker = "returns")]
#[tool_router]
#[allow(
    clippy::missing_const_for_fn,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    clippy::unused_unit
)]
impl Server {
    /// Not async.
    #[tool]
    fn sync_text(&self) -> String {
        String::new()
    }

    /// Not async.
    #[tool]
    fn sync_json(&self) -> Json<Told> {
        Json(Told { number: 1 })
    }

    /// Not async.
    #[tool]
    fn sync_result(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Not async, and nothing.
    #[tool]
    fn sync_nothing(&self) {}

    /// No result.
    #[tool]
    async fn text(&self) -> String {
        String::new()
    }

    /// No result.
    #[tool]
    async fn json(&self) -> Json<Told> {
        Json(Told { number: 1 })
    }

    /// Nothing.
    #[tool]
    async fn nothing(&self) {}

    /// Nothing, written out.
    #[tool]
    async fn unit(&self) -> () {}

    /// No result, and its own timeout, name and effect.
    #[resilient(timeout = "1s", name = "returns.own", read_only, log_args(number))]
    #[tool]
    async fn text_with_own_keys(&self, Parameters(Told { number }): Parameters<Told>) -> String {
        number.to_string()
    }

    /// Structure, and no keys.
    #[resilient]
    #[tool]
    async fn json_with_attribute(&self) -> Json<Told> {
        Json(Told { number: 1 })
    }

    /// Not async, with the keys that the hook uses.
    #[resilient(name = "returns.sync", idempotent)]
    #[tool]
    fn sync_with_own_keys(&self) -> String {
        String::new()
    }

    /// A boxed future.
    #[tool]
    fn future(&self) -> std::pin::Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(async { String::new() })
    }

    /// A block.
    #[tool]
    async fn block(&self) -> ContentBlock {
        ContentBlock::text("")
    }

    /// Only an error.
    #[tool]
    async fn error(&self) -> ErrorData {
        ErrorData::internal_error("", None)
    }

    /// A question.
    #[tool]
    async fn input(&self) -> InputRequiredResult {
        InputRequiredResult::from_request_state("state")
    }

    /// rmcp's own.
    #[tool]
    async fn result(&self) -> CallToolResult {
        CallToolResult::success(vec![])
    }

    /// rmcp's own, with the attribute.
    #[resilient(retry = 1)]
    #[tool(annotations(read_only_hint = true))]
    async fn own_result(&self) -> CallToolResult {
        CallToolResult::success(vec![])
    }

    /// rmcp's own.
    #[tool]
    async fn response(&self) -> CallToolResponse {
        CallToolResult::success(vec![]).into()
    }

    /// rmcp's own, with the attribute.
    #[resilient(retry = 1)]
    #[tool(annotations(read_only_hint = true))]
    async fn own_response(&self) -> CallToolResponse {
        CallToolResult::success(vec![]).into()
    }

    /// Text or error.
    #[resilient(fallback = cached)]
    #[tool]
    async fn text_or_error(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Structure or error.
    #[resilient(fallback = [cached, value(Json(Told { number: 1 }))])]
    #[tool]
    async fn json_or_error(&self) -> Result<Json<Told>, Failure> {
        Ok(Json(Told { number: 1 }))
    }

    /// Nothing or error.
    #[tool]
    async fn nothing_or_error(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// A block or error.
    #[tool]
    async fn block_or_error(&self) -> Result<ContentBlock, ErrorData> {
        Ok(ContentBlock::text(""))
    }

    /// rmcp's own or error.
    #[resilient(fallback = cached)]
    #[tool]
    async fn result_or_error(&self) -> Result<CallToolResult, ErrorData> {
        Ok(CallToolResult::success(vec![]))
    }

    /// rmcp's own or error.
    #[resilient(fallback = cached)]
    #[tool]
    async fn response_or_error(&self) -> Result<CallToolResponse, ErrorData> {
        Ok(CallToolResult::success(vec![]).into())
    }

    /// A question or error.
    #[tool]
    async fn input_or_error(&self) -> Result<InputRequiredResult, ErrorData> {
        Ok(InputRequiredResult::from_request_state("state"))
    }

    /// By its path.
    #[tool]
    async fn by_path(&self) -> std::result::Result<::std::string::String, ErrorData> {
        Ok(String::new())
    }

    /// Only the hook, with any return type.
    #[resilient(skip)]
    #[tool]
    async fn skipped(&self) -> Result<String, String> {
        Ok(String::new())
    }
}

#[prompt_router]
impl Server {
    /// A prompt.
    #[resilient(timeout = "1s", retry = 1)]
    #[prompt]
    async fn messages(&self) -> Result<Vec<PromptMessage>, ErrorData> {
        Ok(vec![])
    }

    /// A prompt.
    #[resilient(fallback = value(GetPromptResult::new(vec![])))]
    #[prompt]
    async fn got(&self) -> Result<GetPromptResult, ErrorData> {
        Ok(GetPromptResult::new(vec![]))
    }

    /// A prompt.
    #[resilient]
    #[prompt]
    async fn asks_back(&self) -> Result<InputRequiredResult, ErrorData> {
        Ok(InputRequiredResult::from_request_state("state"))
    }
}

/// An answer whose type has no name.
///
/// # Errors
/// None.
#[resilient(retry = 1, read_only)]
pub async fn nameless(number: u32) -> Result<impl ToString + use<>, ResilienceError> {
    Ok(number)
}

fn main() {
    assert_eq!(Server::tool_router().list_all().len(), 28);
    assert_eq!(Server::prompt_router().list_all().len(), 3);
    let _: Option<GetPromptResponse> = None;
}
