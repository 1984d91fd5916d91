//! A server that serves every request itself, and does what the name in it says: `panic`, `hang`, or anything else.

use std::error::Error;
use std::future::pending;
use std::process::ExitCode;

use resilient_runtime::resilient;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, CompletionInfo,
    ContentBlock, GetPromptRequestParams, GetPromptResponse, GetPromptResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::stdio;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};

#[derive(Clone, Debug)]
struct Obedient;

async fn obey(what: &str) {
    match what {
        "panic" => panic!("only the log may show this"),
        "hang" => pending().await,
        _ => {}
    }
}

#[resilient(timeout = "300ms")]
impl ServerHandler for Obedient {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_prompts().enable_resources();
        ServerConfig::new(capabilities.enable_completions().build())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        obey(request.uri.trim_start_matches("test://")).await;
        Ok(ReadResourceResult::new(vec![ResourceContents::text("alive", request.uri)]).into())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        obey(&request.name).await;
        Ok(GetPromptResult::new(Vec::new()).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        obey(&request.argument.value).await;
        Ok(CompleteResult::new(CompletionInfo::default()))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        obey(request.and_then(|request| request.cursor).as_deref().unwrap_or_default()).await;
        Ok(ListToolsResult::default())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        obey(&request.name).await;
        Ok(CallToolResult::success(vec![ContentBlock::text("alive")]).into())
    }
}

#[tokio::main]
async fn run() -> Result<(), Box<dyn Error>> {
    Obedient.serve(stdio()).await?.waiting().await?;
    Ok(())
}

pub(crate) fn main() -> ExitCode {
    crate::exit_code(run())
}
