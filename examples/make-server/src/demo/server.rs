//! One `make-server --demo` as a child process, with the client that calls it and the controls of its upstream.

use std::{
    collections::VecDeque,
    env,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rmcp::{
    RoleClient, ServiceError, ServiceExt,
    model::{ClientRequest, Request, ServerResult},
    service::{Peer, PeerRequestOptions, RunningService},
    transport::TokioChildProcess,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStderr, Command},
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{
    Failure,
    calls::Call,
    verdict::{Ending, Outcome},
};
use crate::{
    http,
    upstream::{phase::Phase, stats::Stats},
};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// The number of the server's log lines that are kept for error reports.
const LOG_LINES: usize = 20;

/// A server under test.
pub(super) struct Server {
    service: RunningService<RoleClient, ()>,
    controls: reqwest::Client,
    upstream: String,
    patience: Duration,
    log: Log,
}

type Log = Arc<Mutex<VecDeque<String>>>;

impl Server {
    /// Starts the current executable as `make-server --demo`, with further arguments.
    pub(super) async fn start(arguments: &[&str], patience: Duration) -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        command.args([super::AS_SERVER, "--demo"]).args(arguments);
        // The demo reads the log, so the user's filter must not apply.
        command.env_remove("RUST_LOG").env_remove("LOG_LEVEL").kill_on_drop(true);
        let (transport, stderr) = TokioChildProcess::builder(command).stderr(Stdio::piped()).spawn()?;
        let stderr = stderr.ok_or("the server has no stderr")?;
        let log = Log::default();
        let (found, address) = oneshot::channel();
        tokio::spawn(follow(stderr, Arc::clone(&log), found));

        let started = async {
            let service = ().serve(transport).await?;
            Ok::<_, Failure>((service, address.await?))
        };
        let Ok(Ok((service, upstream))) = timeout(START, started).await else {
            return Err(format!("make-server did not start; its log:\n{}", tail(&log)).into());
        };
        let controls = http::loopback_client().timeout(START).build()?;
        Ok(Self { service, controls, upstream, patience, log })
    }

    /// Begins a phase and returns the revision of the upstream's data.
    pub(super) async fn enter(&self, phase: Phase) -> Result<u64, Failure> {
        let address = format!("{}/demo/phase/{}", self.upstream, phase.name());
        let answer: Value = self.controls.post(address).send().await?.error_for_status()?.json().await?;
        answer.get("revision").and_then(Value::as_u64).ok_or_else(|| "the upstream tells no revision".into())
    }

    /// Reads the upstream's counters.
    pub(super) async fn stats(&self) -> Result<Stats, Failure> {
        Ok(self.controls.get(format!("{}/demo/stats", self.upstream)).send().await?.error_for_status()?.json().await?)
    }

    /// Calls a tool. The future does not borrow the server.
    pub(super) fn call(&self, call: Call, revision: u64) -> impl Future<Output = Outcome> + Send + 'static + use<> {
        let (peer, patience) = (self.service.peer().clone(), self.patience);
        async move {
            let begun = Instant::now();
            let ending = ask(&peer, call, patience).await;
            Outcome { call, ending, waited: begun.elapsed(), revision }
        }
    }

    /// The last lines of the server's log.
    pub(super) fn log(&self) -> String {
        tail(&self.log)
    }

    /// Ends the process.
    pub(super) async fn stop(mut self) {
        // A server that hangs is killed.
        let _ = self.service.close_with_timeout(Duration::from_secs(5)).await;
    }
}

async fn ask(peer: &Peer<RoleClient>, call: Call, patience: Duration) -> Ending {
    let request = ClientRequest::CallToolRequest(Request::new(call.request()));
    let asked = peer.send_request_with_option(request, PeerRequestOptions::with_timeout(patience)).await;
    let answer = match asked {
        Ok(handle) => handle.await_response().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(ServerResult::CallToolResult(result)) => Ending::Result(Box::new(result)),
        Ok(other) => Ending::Protocol(format!("{other:?}")),
        Err(ServiceError::McpError(error)) => Ending::Protocol(error.to_string()),
        Err(_) => Ending::Unanswered,
    }
}

/// Reads the server's log to its end, and sends the upstream's address that it contains.
async fn follow(stderr: ChildStderr, log: Log, found: oneshot::Sender<String>) {
    let mut found = Some(found);
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = address_in(&line)
            && let Some(found) = found.take()
        {
            // Fails if the start timed out.
            let _ = found.send(address);
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        log.push_back(line);
    }
}

/// The field `upstream` of a JSON line.
fn address_in(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    line.get("upstream")?.as_str().map(str::to_owned)
}

fn tail(log: &Log) -> String {
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_a_field_of_a_json_line() {
        let line = r#"{"level":"INFO","message":"up","upstream":"http://127.0.0.1:4711"}"#;
        assert_eq!(address_in(line).as_deref(), Some("http://127.0.0.1:4711"));
        assert_eq!(address_in(r#"{"message":"upstream"}"#), None);
        assert_eq!(address_in("upstream"), None);
    }
}
