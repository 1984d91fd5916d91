//! The life of the process: logging, settings, exit codes and signals.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code for wrong arguments and wrong settings.
pub(crate) const USAGE: u8 = 2;

/// Initialises logging, then runs the server to its end.
pub(crate) fn start(program: &str, serve: impl AsyncFnOnce() -> Result<ExitCode, Box<dyn Error>>) -> ExitCode {
    // Dropped last, so that the final lines are written.
    let _logging = resilient_runtime::logging::init();
    block_on(serve()).unwrap_or_else(|error| log_failure(program, error.as_ref(), 1))
}

/// Runs the future to its end and abandons every task that is still running then. A blocking read of stdin or a call
/// that hangs must not keep the process alive.
pub(crate) fn block_on(
    future: impl Future<Output = Result<ExitCode, Box<dyn Error>>>,
) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(future);
    runtime.shutdown_background();
    ended
}

/// Logs why the program ends, with the error's sources. Use it once logging has started: every line on stderr is JSON
/// then.
pub(crate) fn log_failure(program: &str, error: &dyn Error, code: u8) -> ExitCode {
    tracing::error!(event = "server.failed", "{program}: {}", with_sources(error));
    ExitCode::from(code)
}

/// Writes to stderr why the program ends, with the error's sources. Use it before logging has started.
pub(crate) fn fail(program: &str, error: &dyn Error, code: u8) -> ExitCode {
    print(io::stderr(), &format!("{program}: {}", with_sources(error)), code)
}

/// The messages of an error and of its sources, separated by colons.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Prints a line and returns the exit code. A closed pipe does not change the code.
pub(crate) fn print(mut to: impl Write, text: &str, code: u8) -> ExitCode {
    let _ = writeln!(to, "{text}");
    ExitCode::from(code)
}

/// SIGTERM and SIGINT, and Ctrl-C on systems without signals.
///
/// Create it before anything that takes time: a process with PID 1 receives only signals for which it has a handler.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
}

#[cfg(unix)]
impl Signals {
    /// Installs the handlers.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal and returns its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Does nothing: the handler is installed when [`Self::next`] is first polled.
    #[allow(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for Ctrl-C and returns its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
