//! The command line of a server over stdio.

use std::{error::Error, ffi::OsString, io, process::ExitCode};

use resilient_runtime::Resilience;
use rmcp::ServerHandler;

use crate::{
    process::{Signals, USAGE, fail, log_failure, print, start},
    stdio,
};

/// An executable that serves MCP over stdio.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    /// The prefix of its error messages.
    pub(crate) name: &'static str,
    /// The output of `--help`.
    pub(crate) help: &'static str,
}

impl Program {
    /// Parses the arguments (without the program's name), then serves until the client disconnects.
    ///
    /// `server` creates the server; with `true` it uses the embedded upstream. An error of it means that the server is
    /// not configured: the exit code is 2, as for a wrong argument or setting.
    pub(crate) fn main<S: ServerHandler>(
        self,
        args: impl IntoIterator<Item = OsString>,
        settings: Resilience,
        server: impl AsyncFnOnce(bool) -> Result<S, Box<dyn Error>>,
    ) -> ExitCode {
        let mut demo = false;
        for arg in args {
            match arg.to_str() {
                Some("--demo") => demo = true,
                Some("--help" | "-h") => return print(io::stdout(), self.help.trim_end(), 0),
                Some("--version" | "-V") => return print(io::stdout(), env!("CARGO_PKG_VERSION"), 0),
                _ => return fail(self.name, &UnknownArgument(arg.to_string_lossy().into_owned()), USAGE),
            }
        }
        start(self.name, async move || {
            let signals = Signals::listen()?;
            // Before anything else, so that every guarded tool runs under these settings.
            if let Err(error) = settings.start() {
                return Ok(log_failure(self.name, &error, USAGE));
            }
            match server(demo).await {
                Ok(server) => stdio::serve(server, signals).await,
                Err(error) => Ok(log_failure(self.name, error.as_ref(), USAGE)),
            }
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("unknown argument `{0}`, expected `--demo`, `--version` or `--help`")]
struct UnknownArgument(String);
