//! A link to a child process: one JSON-RPC message per line on its standard input and output.

mod process;
mod tail;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::command::Command;
use crate::link::{Reason, Receive, SendError};
use crate::message::Message;
use process::Process;

/// A running server process. Dropping the link kills the process and its process group.
pub(crate) struct StdioLink {
    /// `None` once the input is closed.
    stdin: Arc<Mutex<Option<ChildStdin>>>,
    process: Process,
}

impl StdioLink {
    /// Starts the process, in a new process group where the platform has them.
    ///
    /// # Errors
    /// [`Reason::Unavailable`], if the command cannot be started.
    pub(crate) fn open<R: Receive>(command: &Command, receiver: Arc<R>) -> Result<Self, SendError> {
        let (stdin, process) = Process::start(command, receiver).map_err(|error| {
            let program = &command.program;
            let message = match error.kind() {
                io::ErrorKind::NotFound => format!("the command `{program}` does not exist"),
                io::ErrorKind::PermissionDenied => format!("the command `{program}` must not be executed"),
                _ => format!("the command `{program}` cannot be started: {error}"),
            };
            SendError { message, reason: Reason::Unavailable, is_unprocessed: true, retry_after: None }
        })?;
        Ok(Self { stdin: Arc::new(Mutex::new(Some(stdin))), process })
    }

    /// Writes a message. Messages are written in the order of the calls. A message whose write has begun is written to
    /// its end, even if the future is dropped.
    ///
    /// # Errors
    /// [`Reason::Lost`], if the process has closed its input. A process does not see a message whose line is not complete.
    pub(crate) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let line = message.to_line();
        let mut stdin = Arc::clone(&self.stdin).lock_owned().await;
        let Some(open) = stdin.as_mut() else { return Err(lost(true)) };
        match poll_fn(|cx| Pin::new(&mut *open).poll_write(cx, &line)).await {
            Ok(written) if written == line.len() => Ok(()),
            Ok(written) => finish(stdin, line, written).await,
            Err(_) => Err(lost(true)),
        }
    }

    /// Ends the process: closes its input, and sends `SIGTERM` and `SIGKILL` to its group, if it does not exit within a
    /// second after each.
    pub(crate) async fn close(&self) {
        // A write that does not end must not keep the process alive.
        if let Ok(mut stdin) = self.stdin.try_lock() {
            *stdin = None;
        }
        self.process.end().await;
    }

    /// Kills the process and its group, without waiting.
    pub(crate) fn kill(&self) {
        self.process.kill();
    }
}

/// Writes the rest of a line in a separate task, because half a line would break all later messages.
async fn finish(
    mut stdin: OwnedMutexGuard<Option<ChildStdin>>,
    line: Vec<u8>,
    written: usize,
) -> Result<(), SendError> {
    let rest = tokio::spawn(async move {
        let Some(open) = stdin.as_mut() else { return Err(lost(true)) };
        // The last byte is the line break, and a process may read a last line without one.
        let last = line.len() - 1;
        if open.write_all(&line[written..last.max(written)]).await.is_err() {
            *stdin = None;
            return Err(lost(true));
        }
        if open.write_all(&line[last.max(written)..]).await.is_err() {
            *stdin = None;
            return Err(lost(false));
        }
        Ok(())
    });
    rest.await.unwrap_or_else(|_| Err(lost(false)))
}

fn lost(is_unprocessed: bool) -> SendError {
    let message = "the server process has closed its input".into();
    SendError { message, reason: Reason::Lost, is_unprocessed, retry_after: None }
}
