//! Tests of this crate's servers with programs in other languages. Run `tests/engines/install` first; the tests fail if
//! a tool is missing.

mod answers;
mod balanced;
mod browser;
mod conformance;
mod deferred;
mod http_server;
mod metrics;
mod monitoring;
mod page;
mod program;
mod proxy;
mod redis;
mod replicas;
mod requests;
mod schemas;
mod tasks;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// The servers that the clients start.
const SERVERS: &str = env!("CARGO_BIN_EXE_servers");

/// The maximum duration of a client or a checker.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the path of a script of this package.
fn script(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns a command that runs a script in Python, with the packages of `python/requirements.txt`.
fn python(path: &str) -> Command {
    python_with("requirements", path)
}

/// Returns a command that runs a script in Python, with the packages of `python/tasks.txt`.
fn python_with_tasks(path: &str) -> Command {
    python_with("tasks", path)
}

fn python_with(packages: &str, path: &str) -> Command {
    let mut command = Command::new(script(&format!("../../target/engines/{packages}/bin/python")));
    command.arg(script(path));
    command
}

/// Returns a command that runs a script in Node.js, with the packages of `typescript/package-lock.json`. One of them is
/// this Node.js.
fn node(path: &str) -> Command {
    let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let mut command = Command::new(script(&format!("typescript/node_modules/node-linux-{processor}/bin/node")));
    command.arg(script(path));
    command
}

/// Runs a program with this input, and returns whether it succeeded and what it printed to stdout and stderr.
async fn run(command: Command, input: &str) -> (bool, String, String) {
    run_within(PATIENCE, command, input).await
}

/// Runs a program as [`run`] does, for at most this time.
async fn run_within(patience: Duration, mut command: Command, input: &str) -> (bool, String, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let started = command.spawn();
    let mut child = started.unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/engines/install"));
    let mut stdin = child.stdin.take().unwrap();
    let write = async move { stdin.write_all(input.as_bytes()).await };
    let ended = timeout(patience, async { tokio::join!(write, child.wait_with_output()) }).await;
    let (written, output) = ended.unwrap_or_else(|_| panic!("{command:?} does not end"));
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let printed = (output.status.success(), text(&output.stdout), text(&output.stderr));
    written.unwrap_or_else(|error| panic!("{command:?}: {error}: {printed:?}"));
    printed
}

/// Returns the JSON that a script prints.
async fn json(command: Command) -> Value {
    let (success, out, err) = run(command, "").await;
    let value = serde_json::from_str(&out).ok().filter(|_| success);
    value.unwrap_or_else(|| panic!("{out}\n{err}\nIf a package is missing, run tests/engines/install"))
}
