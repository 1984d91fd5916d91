//! A server of this package as its users start it: a process of its own, MCP over its pipes.

use std::process::Stdio;

use rmcp::{
    RoleClient, ServiceExt,
    model::{CallToolRequestParams, CallToolResult},
    service::RunningService,
    transport::TokioChildProcess,
};
use serde_json::Value;
use tokio::process::Command;

/// Starts the server and greets it. It ends with the client.
pub(crate) async fn connect(server: &str, args: &[&str], env: &[(&str, &str)]) -> RunningService<RoleClient, ()> {
    let mut command = Command::new(server);
    command.args(args).envs(env.iter().copied()).kill_on_drop(true);
    let (transport, _) = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().unwrap();
    ().serve(transport).await.unwrap()
}

/// Calls a tool. An error of the tool is a result too.
#[allow(dead_code, reason = "each test is built with this module, and not every one calls a tool")]
pub(crate) async fn call(
    service: &RunningService<RoleClient, ()>,
    tool: &'static str,
    arguments: Value,
) -> CallToolResult {
    let params = CallToolRequestParams::new(tool).with_arguments(arguments.as_object().unwrap().clone());
    service.call_tool(params).await.unwrap()
}
