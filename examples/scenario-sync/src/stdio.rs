//! Serves MCP over stdio until the client disconnects or a signal arrives.

use std::{
    error::Error,
    io,
    pin::{Pin, pin},
    process::ExitCode,
    task::{Context, Poll},
    time::Duration,
};

use rmcp::{ServerHandler, ServiceExt, transport::io::stdio_pipes};
use tokio::{
    io::{AsyncRead, ReadBuf},
    select,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::process::Signals;

/// How long running calls may take after a signal.
const LAST_CALLS: Duration = Duration::from_secs(2);

/// Serves until the client closes stdin, or until a signal arrives. After a signal no more requests are read, and
/// running calls have 2 s to respond. A second signal ends the wait.
pub(crate) async fn serve(server: impl ServerHandler, mut signals: Signals) -> Result<ExitCode, Box<dyn Error>> {
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

/// A reader that reports end of input once it is stopped. At the end of its input rmcp still responds to running calls;
/// cancelling its service would cancel them.
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
