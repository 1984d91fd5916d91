//! A server whose `Cargo.toml` names the runtime `shield`, without any crate named `resilient_runtime`.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::GetPromptResult;
use rmcp::{prompt, prompt_router, tool, tool_handler, tool_router, ErrorData, ServerHandler};
use shield::{resilient, McpError, ResilienceError};

/// The arguments of a call.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
pub struct Asked {
    /// The number to look up.
    pub number: u32,
}

/// The result of a call.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Told {
    /// The number that was found.
    pub number: u32,
}

/// The errors of the tools.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(crate = ::shield, prefix = "RENAMED")]
pub enum Failure {
    /// Nothing has the number.
    #[error("nothing has the number {number}")]
    #[mcp(kind = not_found, hint = "Try {number:?} later.", message = "nothing is {number}")]
    Nothing {
        /// The number.
        #[mcp(detail)]
        number: u32,
    },
    /// Another server responded with this status.
    #[error("answered {status}")]
    Status {
        /// The status.
        #[mcp(status)]
        status: u16,
        /// The time to wait before a retry.
        #[mcp(retry_after)]
        wait: Option<std::time::Duration>,
    },
    /// A file is missing.
    #[error("no file")]
    File(
        #[from]
        #[mcp(classify)]
        std::io::Error,
    ),
    /// An error of the pipeline.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// A function with every key.
///
/// # Errors
/// There is no number 0.
#[resilient(
    crate = ::shield,
    timeout = "5s",
    attempt_timeout = "1s",
    retry(max = 1, base = "1ms", on(unavailable)),
    idempotent,
    breaker(name = "renamed", key = number),
    bulkhead(max = 5, key = number),
    rate_limit(rate = "100/1s", key = number),
    fallback = [cached, instead, value(7)],
    cache(key = number)
)]
pub async fn function(number: u32) -> Result<u32, Failure> {
    match number {
        0 => Err(Failure::Nothing { number }),
        1 => Err(Failure::Status { status: 503, wait: None }),
        other => Ok(other),
    }
}

async fn instead(number: u32, error: &Failure) -> Result<u32, Failure> {
    std::future::ready(()).await;
    match error {
        Failure::Status { .. } => Ok(number + 100),
        _ => Err(Failure::Nothing { number }),
    }
}

/// A server with its handler.
#[derive(Debug, Clone, Copy)]
pub struct Whole;

#[resilient(crate = ::shield, timeout = "5s", breaker = "renamed-tools")]
#[tool_router(server_handler)]
impl Whole {
    /// Reads.
    #[resilient(retry = 1, fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn read(&self, Parameters(Asked { number }): Parameters<Asked>) -> Result<Json<Told>, Failure> {
        Ok(Json(Told { number: function(number).await? }))
    }

    /// Inherits.
    #[tool]
    async fn inherits(&self, Parameters(asked): Parameters<Asked>) -> Result<String, Failure> {
        Ok(asked.number.to_string())
    }

    /// The hook and nothing else.
    #[resilient(skip)]
    #[tool]
    async fn skipped(&self) -> String {
        String::new()
    }
}

/// A server with a separate handler.
#[derive(Debug, Clone, Copy)]
struct Split;

#[resilient(crate = ::shield)]
#[tool_router(router = tools)]
impl Split {
    /// Names the path of the runtime in its own attribute.
    #[resilient(crate = ::shield, timeout = "1s")]
    #[tool]
    async fn read(&self) -> Result<String, ErrorData> {
        Ok(String::new())
    }
}

#[prompt_router]
impl Split {
    /// Asks.
    #[resilient(crate = ::shield, retry = 1)]
    #[prompt]
    async fn ask(&self) -> Result<GetPromptResult, ErrorData> {
        Ok(GetPromptResult::new(vec![]))
    }
}

#[resilient(crate = ::shield)]
#[tool_handler(router = Self::tools())]
impl ServerHandler for Split {}

/// Returns the server with a separate handler.
#[must_use]
pub fn split() -> impl ServerHandler {
    Split
}

/// An error that does not name the path of the runtime.
#[derive(Debug, thiserror::Error, McpError)]
#[error("unnamed")]
#[mcp(kind = unavailable)]
pub struct Unnamed(#[from] ResilienceError);

/// A function that does not name the path of the runtime.
///
/// # Errors
/// For the number 1.
#[resilient(retry(max = 1, base = "1ms"), read_only, fallback = value(8))]
pub async fn unnamed(number: u32) -> Result<u32, Unnamed> {
    if number == 1 {
        return Err(Unnamed(ResilienceError::Panicked));
    }
    Ok(number)
}

/// A server that does not name the path of the runtime.
#[derive(Debug, Clone, Copy)]
pub struct Found;

#[resilient(timeout = "5s")]
#[tool_router(server_handler)]
impl Found {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, Unnamed> {
        Ok(String::new())
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::CallToolRequestParams;
    use rmcp::ServiceExt;
    use shield::{Classify, ErrorKind, ToolError};

    use super::*;

    #[tokio::test]
    async fn a_function_is_guarded_under_another_name_of_the_runtime() {
        assert_eq!(function(5).await.expect("an answer"), 5);
        assert_eq!(function(1).await.expect("the fallback's answer"), 101);
        let error = function(0).await.expect_err("there is no 0");
        assert_eq!((error.kind(), error.code().as_ref()), (ErrorKind::NotFound, "RENAMED_NOTHING"));
        assert_eq!(error.public_message(), "nothing is 0");
        assert_eq!(Failure::CODES, ["RENAMED_NOTHING", "RENAMED_STATUS", "RENAMED_FILE"]);
    }

    #[tokio::test]
    async fn the_runtime_is_found_under_the_name_that_the_manifest_gives_it() {
        assert_eq!(unnamed(1).await.expect("the fallback's answer"), 8);
        assert_eq!(Found::tool_router().list_all().len(), 1);
    }

    #[tokio::test]
    async fn a_server_answers_under_another_name_of_the_runtime() {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let server = tokio::spawn(async move { Whole.serve(ours).await.expect("a session").waiting().await });
        let client = ().serve(theirs).await.expect("a session");
        let arguments = rmcp::object!({ "number": 7 });
        let answer =
            client.call_tool(CallToolRequestParams::new("read").with_arguments(arguments)).await.expect("an answer");
        assert_eq!(answer.structured_content.expect("a structure")["number"], 7);
        let arguments = rmcp::object!({ "number": 0 });
        let answer =
            client.call_tool(CallToolRequestParams::new("read").with_arguments(arguments)).await.expect("an answer");
        assert_eq!(answer.is_error, Some(true));
        client.cancel().await.expect("an end");
        drop(server.await);
        assert_eq!((Split::tools().list_all().len(), Split::prompt_router().list_all().len()), (1, 1));
    }
}
