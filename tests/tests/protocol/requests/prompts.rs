//! Blocks of prompts, and the methods that rmcp generates for routers.

use std::future::pending;

use resilient_runtime::{Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::text;
use rmcp::model::{GetPromptRequestParams, GetPromptResult, PromptMessage, Role};
use rmcp::{
    ErrorData as McpError, ServerHandler, prompt, prompt_handler, prompt_router, tool, tool_handler, tool_router,
};
use serde_json::json;

use super::refused;

#[derive(Debug, Clone)]
struct Prompting;

#[resilient(timeout = "1s")]
#[prompt_router]
impl Prompting {
    /// Hangs, within the timeout of its block.
    #[prompt]
    async fn hangs(&self) -> Result<GetPromptResult, McpError> {
        pending().await
    }

    /// Hangs, within its own timeout.
    #[resilient(timeout = "2s")]
    #[prompt]
    async fn hangs_longer(&self) -> Result<GetPromptResult, McpError> {
        pending().await
    }

    /// Cannot carry an error, so that only the handler limits it.
    #[prompt]
    async fn hangs_longest(&self) -> Vec<PromptMessage> {
        pending().await
    }

    /// Panics outside of a guarded function.
    #[prompt]
    #[expect(clippy::unused_self, reason = "a prompt of the block")]
    fn panics(&self) -> Vec<PromptMessage> {
        panic!("private")
    }

    /// Answers.
    #[prompt]
    async fn greets(&self) -> Vec<PromptMessage> {
        vec![PromptMessage::new_text(Role::User, "hello")]
    }
}

#[resilient]
#[tool_router]
impl Prompting {
    /// Answers.
    #[tool]
    async fn beside_prompts(&self) -> String {
        "a tool".into()
    }
}

#[resilient(timeout = "3s")]
#[tool_handler]
#[prompt_handler]
impl ServerHandler for Prompting {}

/// In a separate process: the statistics of a method count all servers.
#[tokio::test(start_paused = true)]
async fn prompts_and_generated_methods_are_answered_and_measured() {
    if ran_in_a_child() {
        return;
    }
    let client = connect(Prompting).await;
    for (prompt, seconds) in [("hangs", 1), ("hangs_longer", 2), ("hangs_longest", 3)] {
        let began = tokio::time::Instant::now();
        let (_, error) = refused(client.get_prompt(GetPromptRequestParams::new(prompt)).await);
        assert_eq!((&error["kind"], began.elapsed().as_secs()), (&json!("timeout"), seconds), "{prompt}: {error}");
        assert!(error["correlation_id"].is_string(), "{prompt}: {error}");
    }
    let (_, error) = refused(client.get_prompt(GetPromptRequestParams::new("panics")).await);
    assert_eq!(error["code"], "INTERNAL");
    let (code, error) = refused(client.get_prompt(GetPromptRequestParams::new("none")).await);
    assert!(code == -32602 && error["correlation_id"].is_string(), "{error}");
    client.get_prompt(GetPromptRequestParams::new("greets")).await.expect("an answer");
    assert_eq!(client.list_prompts(None).await.expect("a list").prompts.len(), 5);
    assert_eq!(client.list_tools(None).await.expect("a list").tools.len(), 1);
    assert_eq!(text(&call(&client, "beside_prompts", &json!({})).await), "a tool");
    let requests = Registry::global().requests();
    let counted = |method: &str| requests.get(method).map(|read| (read.calls(), read.in_flight));
    assert_eq!(counted("prompts/get"), Some((6, 0)));
    assert_eq!(counted("prompts/list"), Some((1, 0)));
    assert_eq!(counted("tools/list"), Some((1, 0)));
    assert_eq!(counted("tools/call"), None, "the hook counts it");
}
