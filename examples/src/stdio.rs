//! A server over stdio, around its tools: flags, logging, settings, and the end.

use std::{
    error::Error,
    ffi::OsString,
    io,
    pin::{Pin, pin},
    process::ExitCode,
    task::{Context, Poll},
    time::Duration,
};

use resilient_runtime::Resilience;
use rmcp::{ServerHandler, ServiceExt, transport::io::stdio_pipes};
use tokio::{
    io::{AsyncRead, ReadBuf},
    select,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

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

/// How long the calls that run have after a signal.
const LAST_CALLS: Duration = Duration::from_secs(2);

/// Serves over stdio until the client closes its end, or until a signal stops the process. After a signal no request is
/// read. The calls that run have 2 s, and those that end by then are answered. A second signal ends the wait.
pub(crate) async fn converse(server: impl ServerHandler, mut signals: Signals) -> Result<ExitCode, Box<dyn Error>> {
    let (stdin, stdout) = stdio_pipes();
    let stop = CancellationToken::new();
    let running = select! {
        running = server.serve((UntilStop::new(stdin, &stop), stdout)) => running?,
        signal = signals.next() => {
            tracing::info!(event = "server.stopped", signal);
            return Ok(ExitCode::SUCCESS);
        }
    };
    let mut ended = pin!(running.waiting());
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
        ended = timeout(LAST_CALLS, ended) => if let Ok(ended) = ended {
            ended?;
            tracing::info!(event = "server.stopped");
        } else {
            tracing::warn!(event = "server.abandoned");
        },
        signal = signals.next() => tracing::warn!(event = "server.aborted", signal),
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads until it is stopped, and then says that the input has ended. rmcp answers the calls that run after the end of the
/// input; if its service is cancelled instead, the calls are cancelled too.
struct UntilStop<R> {
    reader: R,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<R> UntilStop<R> {
    fn new(reader: R, stop: &CancellationToken) -> Self {
        Self { reader, stopped: Box::pin(stop.clone().cancelled_owned()) }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for UntilStop<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.reader).poll_read(cx, buffer)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unknown argument `{0}`, expected `--demo`, `--version` or `--help`")]
struct UnknownFlag(String);
