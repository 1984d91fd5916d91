//! A server over stdio, around its tools: flags, logging, settings, and the end.

use std::{error::Error, ffi::OsString, io, process::ExitCode};

use resilient_runtime::Resilience;
use rmcp::{ServerHandler, ServiceExt, transport::io::stdio_pipes};
use tokio::select;

use crate::{
    process::{USAGE, fail, log_failure, start, tell},
    stop::Signals,
};

/// An executable that serves MCP over stdio.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, which begins every line that it writes itself.
    pub name: &'static str,
    /// What `--help` prints.
    pub help: &'static str,
}

impl Program {
    /// `main`: with `--demo` or without, until the client has gone. The arguments are those after the program's name;
    /// the settings know all that is guarded.
    ///
    /// `server` makes what serves, on an embedded upstream where it is told `true`. An error of it means that the
    /// server is not configured: the exit code is 2 then, as for a wrong argument or setting.
    pub fn main<S: ServerHandler>(
        self,
        args: impl IntoIterator<Item = OsString>,
        settings: Resilience,
        server: impl AsyncFnOnce(bool) -> Result<S, Box<dyn Error>>,
    ) -> ExitCode {
        let mut demo = false;
        for arg in args {
            match arg.to_str() {
                Some("--demo") => demo = true,
                Some("--help" | "-h") => return tell(io::stdout(), self.help.trim_end(), 0),
                Some("--version" | "-V") => return tell(io::stdout(), env!("CARGO_PKG_VERSION"), 0),
                _ => return fail(self.name, &UnknownFlag(arg.to_string_lossy().into_owned()), USAGE),
            }
        }
        start(self.name, settings, async move || {
            let signals = Signals::listen()?;
            match server(demo).await {
                Ok(server) => converse(server, signals).await,
                Err(error) => Ok(log_failure(self.name, error.as_ref(), USAGE)),
            }
        })
    }
}

/// Serves over stdio until the client closes its end, or until a signal stops the process. After a signal no request is
/// read. The calls that run have 2 s, which is rmcp's limit: those that end by then are answered. A second signal ends the
/// wait.
pub(crate) async fn converse(server: impl ServerHandler, mut signals: Signals) -> Result<ExitCode, Box<dyn Error>> {
    let running = select! {
        running = server.serve(stdio_pipes()) => running?,
        signal = signals.next() => {
            tracing::info!(event = "server.stopped", signal);
            return Ok(ExitCode::SUCCESS);
        }
    };
    let stop = running.cancellation_token();
    let mut ended = std::pin::pin!(running.waiting());
    let signal = select! {
        ended = &mut ended => {
            ended?;
            return Ok(ExitCode::SUCCESS);
        }
        signal = signals.next() => signal,
    };
    tracing::info!(event = "server.stopping", signal);
    stop.cancel();
    select! {
        ended = ended => {
            ended?;
            tracing::info!(event = "server.stopped");
        }
        signal = signals.next() => tracing::warn!(event = "server.aborted", signal),
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, thiserror::Error)]
#[error("unknown argument `{0}`, expected `--demo`, `--version` or `--help`")]
struct UnknownFlag(String);
