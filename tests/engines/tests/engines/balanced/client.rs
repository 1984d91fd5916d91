//! A client of PyPI in one session.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};

use crate::{PATIENCE, python};

/// `python/session.py`, which is killed on drop.
pub(crate) struct PythonClient {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    process: Child,
}

impl PythonClient {
    /// Starts the client, which begins its session with the server at this address.
    pub(crate) fn start(name: &str, origin: &str) -> Self {
        let mut command = python("python/session.py");
        command.args([name, &format!("{origin}/mcp")]).env_remove("http_proxy").env_remove("HTTP_PROXY");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let started = command.spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/engines/install"));
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { input, output, process }
    }

    /// Calls a tool, and returns what the client's user gets.
    pub(crate) async fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.input.write_all(format!("{tool} {arguments}\n").as_bytes()).await.unwrap();
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("an answer").unwrap();
        serde_json::from_str(&line.expect("the client has not ended; run tests/engines/install")).unwrap()
    }

    /// Ends the session, and asserts that the client ends without an error.
    pub(crate) async fn end(self) {
        let Self { input, output: _output, mut process } = self;
        drop(input);
        let status = timeout(PATIENCE, process.wait()).await.expect("an end").unwrap();
        assert!(status.success(), "{status}");
    }
}
