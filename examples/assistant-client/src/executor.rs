//! The tool executor of an agent's loop: the definitions for the model, and the calls that it asks for.

use std::time::Duration;

use resilient_client::Servers;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

/// The limit of one call with its alternatives. Each single tool has the timeout of its server.
const LIMIT: Duration = Duration::from_secs(90);

/// A call as a model asks for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The id that the answer repeats.
    pub id: String,
    /// The name of a tool: `server__tool`, or the tool alone if only one server has it.
    pub name: String,
    /// The arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// What to pass to the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolAnswer {
    /// The id of the call.
    pub id: String,
    /// The text for the model.
    pub content: String,
    /// Whether the tool failed, or no tool answered.
    pub is_error: bool,
}

/// Reads a list of calls.
///
/// # Errors
/// If the text is not a JSON list of calls.
pub fn read(calls: &str) -> Result<Vec<ToolCall>, serde_json::Error> {
    serde_json::from_str(calls)
}

/// Returns the definitions of all tools, as models take them.
#[must_use]
pub fn definitions(servers: &Servers) -> Vec<Value> {
    let definition = |tool: resilient_client::ListedTool| {
        let listed = tool.definition();
        json!({
            "name": tool.full_name(),
            "description": listed["description"],
            "input_schema": listed["inputSchema"],
        })
    };
    servers.tools().into_iter().map(definition).collect()
}

/// Runs all calls at the same time, and returns their answers in the order of the calls. Each call has an answer.
pub async fn run(servers: &Servers, calls: Vec<ToolCall>) -> Vec<ToolAnswer> {
    let started: Vec<_> = calls
        .into_iter()
        .map(|call| {
            let (id, servers) = (call.id.clone(), servers.clone());
            (id, tokio::spawn(async move { one(&servers, call).await }))
        })
        .collect();
    let mut answers = Vec::new();
    for (id, call) in started {
        let (content, is_error) = call.await.unwrap_or_else(|_| ("The call failed in this program.".into(), true));
        answers.push(ToolAnswer { id, content, is_error });
    }
    answers
}

/// Runs one call. Returns the text for the model, and whether it is an error.
async fn one(servers: &Servers, call: ToolCall) -> (String, bool) {
    match timeout(LIMIT, servers.call(&call.name, call.arguments)).await {
        Ok(Ok(outcome)) => (outcome.text_for_model(), outcome.is_error()),
        // It says whether anything may have been done, and when to repeat the call.
        Ok(Err(error)) => (error.text_for_model(), true),
        Err(_) => ("The call was cancelled after 90 s. It may have taken effect.".into(), true),
    }
}

/// Logs the health of each server.
pub fn report(servers: &Servers) {
    for health in servers.health() {
        let last = health.errors.first().map(|error| error.text.as_str()).unwrap_or_default();
        tracing::info!(
            event = "assistant.server",
            server = health.server,
            state = health.state.as_str(),
            calls = health.calls,
            failures = health.failures,
            last,
        );
    }
}
