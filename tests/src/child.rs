//! A server as a child process, whose whole output is recorded.

use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::{ServiceError, ServiceExt};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

/// The longest time that a test waits for a child process.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Recorded bytes, which grow while a test reads them.
pub type Recorded = Arc<Mutex<Vec<u8>>>;

/// A child process whose log is recorded.
pub struct Process {
    child: Mutex<Child>,
    log: watch::Receiver<Vec<String>>,
}

impl Process {
    /// Starts the executable with these arguments.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(executable: &str, arguments: &[&str]) -> io::Result<(Self, ChildStdin, ChildStdout)> {
        Self::start_with(executable, arguments, &[])
    }

    /// Starts the executable with these arguments and environment variables.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_with(
        executable: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> io::Result<(Self, ChildStdin, ChildStdout)> {
        let mut child = Command::new(executable)
            .args(arguments)
            .env_remove("RUST_LOG")
            .env_remove("LOG_LEVEL")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("a pipe is missing");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let (lines, log) = watch::channel(Vec::new());
        tokio::spawn(async move {
            let mut read = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = read.next_line().await {
                lines.send_modify(|lines| lines.push(line));
            }
            // A test may read the log after its end.
            lines.closed().await;
        });
        Ok((Self { child: Mutex::new(child), log }, stdin, stdout))
    }

    /// The log so far, line by line.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// Waits for a matching log line, and returns it.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn wait_for_log(&self, fits: impl Fn(&str) -> bool) -> io::Result<String> {
        let mut log = self.log.clone();
        let found = log.wait_for(|lines| lines.iter().any(|line| fits(line)));
        let lines = match tokio::time::timeout(PATIENCE, found).await {
            Ok(Ok(lines)) => lines.clone(),
            _ => return Err(io::Error::other(format!("no such line in the log: {:#?}", self.log.borrow()))),
        };
        lines.into_iter().find(|line| fits(line)).ok_or_else(|| io::Error::other("the line is gone"))
    }

    /// Kills the process with SIGKILL, without waiting for its end.
    ///
    /// # Errors
    /// If it has ended before.
    pub fn kill(&self) -> io::Result<()> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).start_kill()
    }

    /// Waits for the process to exit.
    ///
    /// # Errors
    /// If it does not exit in time.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        tokio::time::timeout(PATIENCE, child.wait()).await.map_err(io::Error::other)?
    }
}

/// A server process with a client of rmcp.
pub struct Server {
    client: RunningService<RoleClient, ()>,
    process: Process,
    stdout: Recorded,
}

impl Server {
    /// Starts the executable and initializes a session.
    ///
    /// # Errors
    /// If it cannot be started or does not speak the protocol.
    pub async fn start(executable: &str, arguments: &[&str]) -> io::Result<Self> {
        Self::start_with(executable, arguments, &[]).await
    }

    /// Starts the executable with these arguments and environment variables.
    ///
    /// # Errors
    /// If it cannot be started or does not speak the protocol.
    pub async fn start_with(executable: &str, arguments: &[&str], variables: &[(&str, &str)]) -> io::Result<Self> {
        let (process, stdin, stdout) = Process::start_with(executable, arguments, variables)?;
        let (tee, bytes) = Tee::new(stdout);
        let greeted = tokio::time::timeout(PATIENCE, ().serve((tee, stdin))).await.map_err(io::Error::other)?;
        Ok(Self { client: greeted.map_err(io::Error::other)?, process, stdout: bytes })
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &RunningService<RoleClient, ()> {
        &self.client
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// The error of the client, or a timeout.
    pub async fn call(&self, tool: &'static str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        let mut request = CallToolRequestParams::new(tool);
        if let Value::Object(arguments) = arguments {
            request = request.with_arguments(arguments);
        }
        tokio::time::timeout(PATIENCE, self.client.call_tool(request))
            .await
            .map_err(|_| ServiceError::Timeout { timeout: PATIENCE })?
    }

    /// Closes the transport and waits for the server to exit.
    ///
    /// # Errors
    /// If it does not exit in time.
    pub async fn hang_up(self) -> io::Result<Process> {
        let Self { client, mut process, .. } = self;
        client.cancel().await.map_err(io::Error::other)?;
        process.ended().await?;
        Ok(process)
    }

    /// Every line that the server has written to stdout.
    #[must_use]
    pub fn stdout(&self) -> Vec<String> {
        let bytes = self.stdout.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).lines().map(ToOwned::to_owned).collect()
    }
}

/// A server process to which a test sends raw lines, such as no client sends.
pub struct Raw {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Raw {
    /// Starts the executable and sends the lines that initialize a session.
    ///
    /// # Errors
    /// If it cannot be started or does not answer.
    pub async fn start(executable: &str, arguments: &[&str]) -> io::Result<Self> {
        let (process, stdin, stdout) = Process::start(executable, arguments)?;
        let mut raw = Self { process, stdin, stdout: BufReader::new(stdout) };
        raw.send(
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"0"}}}"#,
        )
        .await?;
        raw.receive().await?;
        raw.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
        Ok(raw)
    }

    /// Sends one line.
    ///
    /// # Errors
    /// If the server has exited.
    pub async fn send(&mut self, line: &str) -> io::Result<()> {
        self.stdin.write_all(line.as_bytes()).await?;
        self.stdin.write_all(b"\n").await?;
        self.stdin.flush().await
    }

    /// Receives one message.
    ///
    /// # Errors
    /// If there is none in time, or if it is not JSON.
    pub async fn receive(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        tokio::time::timeout(PATIENCE, self.stdout.read_line(&mut line)).await.map_err(io::Error::other)??;
        serde_json::from_str(&line).map_err(|error| io::Error::other(format!("{error}: {line:?}")))
    }

    /// Closes the transport, waits for the server to exit, and returns the rest of its output.
    ///
    /// # Errors
    /// If it does not exit.
    pub async fn hang_up(mut self) -> io::Result<(ExitStatus, String)> {
        drop(self.stdin);
        let mut rest = String::new();
        tokio::time::timeout(PATIENCE, self.stdout.read_to_string(&mut rest)).await.map_err(io::Error::other)??;
        Ok((self.process.ended().await?, rest))
    }
}

/// Forwards what it reads, and records a copy.
pub struct Tee<R> {
    inner: R,
    seen: Recorded,
}

impl<R> Tee<R> {
    /// Returns the reader, and what has been read from it so far.
    pub fn new(inner: R) -> (Self, Recorded) {
        let seen = Recorded::default();
        (Self { inner, seen: Arc::clone(&seen) }, seen)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Tee<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(fresh);
        polled
    }
}
