//! An example server as a child process, with an MCP client on its pipes.

use std::process::{Command, Stdio};

use rmcp::{
    RoleClient, ServiceExt,
    model::{CallToolRequestParams, CallToolResult},
    service::RunningService,
    transport::TokioChildProcess,
};
use serde_json::Value;

/// The command that starts the server of this name.
pub(crate) fn command(server: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-servers"));
    command.arg(server);
    command
}

/// Starts the server and initialises a session. The server stops with the client.
pub(crate) async fn connect(server: &str, args: &[&str], env: &[(&str, &str)]) -> RunningService<RoleClient, ()> {
    let mut command = tokio::process::Command::from(command(server));
    command.args(args).envs(env.iter().copied()).kill_on_drop(true);
    let (transport, _) = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn().unwrap();
    ().serve(transport).await.unwrap()
}

/// Calls a tool. An error of the tool is a result too.
pub(crate) async fn call(
    service: &RunningService<RoleClient, ()>,
    tool: &'static str,
    arguments: Value,
) -> CallToolResult {
    let params = CallToolRequestParams::new(tool).with_arguments(arguments.as_object().unwrap().clone());
    service.call_tool(params).await.unwrap()
}
