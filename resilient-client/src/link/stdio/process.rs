//! One process and its process group: started, watched, ended.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::command::Command;
use crate::lines::{Line, MAX_MESSAGE, read_line};
use crate::link::{Receive, Received};
use crate::message::Message;

use super::tail::Tail;

/// How long a process may take to exit after each step of its end.
const GRACE: Duration = Duration::from_secs(1);
/// How long the output of a process that has exited is still read: a descendant may keep it open.
const DRAIN: Duration = Duration::from_millis(200);
/// The longest line of the standard error that is read.
const LONGEST_STDERR: usize = 64 * 1024;

/// A running process. Dropping it kills the process group.
pub(super) struct Process {
    /// Asks the process to end.
    end: CancellationToken,
    /// Kills it.
    kill: CancellationToken,
    /// Cancelled once the process is gone.
    gone: CancellationToken,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill.cancel();
    }
}

impl Process {
    /// Starts a process and the tasks that read its output.
    pub(super) fn start<R: Receive>(command: &Command, receiver: Arc<R>) -> io::Result<(ChildStdin, Self)> {
        let mut prepared = tokio::process::Command::new(&command.program);
        // What protects the program that starts the server is not the server's.
        prepared.env_remove("RESILIENT_PROXY_TOKEN").env_remove("RESILIENT_ADMIN_TOKEN");
        prepared.args(&command.args).envs(&command.env).kill_on_drop(true);
        prepared.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &command.cwd {
            prepared.current_dir(folder);
        }
        // A signal of the terminal reaches the proxy, which ends the process in order.
        #[cfg(unix)]
        prepared.process_group(0);
        let mut child = prepared.spawn()?;
        let missing = || io::Error::other("a pipe to the process is missing");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let (end, kill, gone) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let tail = Arc::new(Tail::default());
        let errors = tokio::spawn(read_errors(stderr, Arc::clone(&tail)));
        let output = tokio::spawn(read_messages(stdout, Arc::clone(&receiver)));
        let watched = Watched { child, end: end.clone(), kill: kill.clone() };
        let after = gone.clone();
        tokio::spawn(async move {
            let (status, output_is_read) = watched.until_exit(output).await;
            if !output_is_read {
                tracing::debug!(event = "server.output_open", "a descendant of the server keeps its output open");
            }
            // Its last words are in the pipe already.
            let _ = timeout(DRAIN, errors).await;
            after.cancel();
            receiver.receive(Received::Lost(reason(&status, &tail.text()))).await;
        });
        Ok((stdin, Self { end, kill, gone }))
    }

    /// Ends the process, and waits until it is gone.
    pub(super) async fn end(&self) {
        self.end.cancel();
        self.gone.cancelled().await;
    }

    /// Kills the process group.
    pub(super) fn kill(&self) {
        self.kill.cancel();
    }
}

/// A process, and what ends it.
struct Watched {
    child: Child,
    end: CancellationToken,
    kill: CancellationToken,
}

impl Watched {
    /// Waits until the process has exited and its output is read. Nothing of its process group is left then. Returns
    /// whether the output has ended.
    async fn until_exit(mut self, mut output: tokio::task::JoinHandle<()>) -> (io::Result<ExitStatus>, bool) {
        let group = Group::of(&self.child);
        let (mut status, mut output_is_read) = (None, false);
        tokio::select! {
            exited = self.child.wait() => status = Some(exited),
            // Without its output it cannot answer anything.
            _ = &mut output => output_is_read = true,
            () = self.kill.cancelled() => {}
            () = self.end.cancelled() => status = self.end_in_order(&group).await,
        }
        if status.is_none() && output_is_read {
            // It is about to exit, and its status says why.
            status = timeout(DRAIN, self.child.wait()).await.ok();
        }
        group.signal(Signal::Kill);
        // The process may have left its group, and not every platform has groups.
        let _ = self.child.start_kill();
        let status = match status {
            Some(status) => status,
            None => self.child.wait().await,
        };
        if !output_is_read {
            output_is_read = timeout(DRAIN, &mut output).await.is_ok();
            output.abort();
        }
        (status, output_is_read)
    }

    /// Waits after the end of the input, and after `SIGTERM`. Returns `None`, if the process has to be killed.
    async fn end_in_order(&mut self, group: &Group) -> Option<io::Result<ExitStatus>> {
        for signal in [None, Some(Signal::Terminate)] {
            if let Some(signal) = signal {
                group.signal(signal);
            }
            tokio::select! {
                status = self.child.wait() => return Some(status),
                () = tokio::time::sleep(GRACE) => {}
                () = self.kill.cancelled() => return None,
            }
        }
        None
    }
}

#[derive(Clone, Copy)]
enum Signal {
    Terminate,
    Kill,
}

/// The process group of a process.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    #[cfg(unix)]
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { leader: id.and_then(rustix::process::Pid::from_raw) }
    }

    #[cfg(not(unix))]
    fn of(_: &Child) -> Self {
        Self {}
    }

    /// Sends a signal to the group. A group that is gone is no error.
    #[cfg(unix)]
    fn signal(&self, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        if let Some(leader) = self.leader {
            let _ = rustix::process::kill_process_group(leader, signal);
        }
    }

    /// Without process groups, the process is killed when it is dropped.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "used on Unix")]
    fn signal(&self, _: Signal) {}
}

async fn read_messages<R: Receive>(stdout: ChildStdout, receiver: Arc<R>) {
    let mut reader = BufReader::with_capacity(64 * 1024, stdout);
    // An error of the pipe ends the output.
    while let Ok(Some(line)) = read_line(&mut reader, MAX_MESSAGE).await {
        let line = match line {
            Line::Whole(line) if line.is_empty() => continue,
            Line::Whole(line) => line,
            Line::TooLong { start, end, bytes } => {
                receiver.receive(Received::TooLong { start, end, bytes }).await;
                continue;
            }
        };
        match Message::parse_line(line) {
            Ok(messages) => {
                for message in messages {
                    receiver.receive(Received::Message(message)).await;
                }
            }
            Err(mut line) => {
                let bytes = line.len();
                line.truncate(256);
                receiver.receive(Received::Junk { start: line, bytes }).await;
            }
        }
    }
}

async fn read_errors(stderr: ChildStderr, tail: Arc<Tail>) {
    let mut reader = BufReader::new(stderr);
    while let Ok(Some(line)) = read_line(&mut reader, LONGEST_STDERR).await {
        let (Line::Whole(line) | Line::TooLong { start: line, .. }) = line;
        let line = tail.push(&String::from_utf8_lossy(&line));
        if !line.is_empty() {
            tracing::info!(event = "server.stderr", line);
        }
    }
}

/// Says how a process has ended, with the last lines of its standard error.
fn reason(status: &io::Result<ExitStatus>, tail: &str) -> String {
    let mut text = match status {
        Ok(status) => match (status.code(), signal_of(*status)) {
            (Some(code), _) => format!("the server process exited with status {code}"),
            (None, Some(signal)) => format!("the server process was ended by signal {signal}"),
            (None, None) => "the server process ended".to_owned(),
        },
        Err(_) => "the server process is gone".to_owned(),
    };
    if !tail.is_empty() {
        text.push_str("; the last lines of its log are: ");
        text.push_str(tail);
    }
    text
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
const fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}
