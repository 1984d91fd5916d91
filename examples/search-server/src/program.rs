//! The command line of a server over stdio.

use std::{error::Error, ffi::OsString, io, process::ExitCode};

use resilient_runtime::Resilience;
use rmcp::ServerHandler;

use crate::{
    operations::Printed,
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
    /// Parses the arguments (without the program's name), then serves until the client disconnects, or prints what a
    /// subcommand requests.
    ///
    /// `server` creates the server; with `true` it uses the embedded upstream. An error of it means that the server is
    /// not configured: the exit code is 2, as for a wrong argument or setting.
    pub(crate) fn main<S: ServerHandler>(
        self,
        args: impl IntoIterator<Item = OsString>,
        settings: Resilience,
        server: impl AsyncFnOnce(bool) -> Result<S, Box<dyn Error>>,
    ) -> ExitCode {
        let mut args = args.into_iter().peekable();
        let printed = args.peek().and_then(|arg| Printed::parse(arg.to_str()?));
        if printed.is_some() {
            args.next();
        }
        let mut demo = false;
        for arg in args {
            match arg.to_str() {
                Some("--demo") if printed.is_none() => demo = true,
                Some("--help" | "-h") => return print(io::stdout(), self.help.trim_end(), 0),
                Some("--version" | "-V") => return print(io::stdout(), env!("CARGO_PKG_VERSION"), 0),
                _ => return fail(self.name, &UnknownArgument(arg.to_string_lossy().into_owned()), USAGE),
            }
        }
        if let Some(printed) = printed {
            return printed.print(self.name, async move || settings.start().map(drop).map_err(Into::into));
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
#[error("unknown argument `{0}`, expected `--demo`, `rules`, `dashboard`, `--version` or `--help`")]
struct UnknownArgument(String);
