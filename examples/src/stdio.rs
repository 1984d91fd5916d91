//! A server over stdio, around its tools: flags, logging, settings, and the end.

use std::{error::Error, ffi::OsString, io, process::ExitCode};

use resilient_runtime::Resilience;
use rmcp::{ServerHandler, ServiceExt, transport::io::stdio_pipes};

use crate::process::{USAGE, fail, start, tell};

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
        start(self.name, settings, async move || match server(demo).await {
            Ok(server) => converse(server).await,
            Err(error) => Ok(fail(self.name, error.as_ref(), USAGE)),
        })
    }
}

/// Serves over stdio until the client has gone.
pub(crate) async fn converse(server: impl ServerHandler) -> Result<ExitCode, Box<dyn Error>> {
    server.serve(stdio_pipes()).await?.waiting().await?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, thiserror::Error)]
#[error("unknown argument `{0}`, expected `--demo`, `--version` or `--help`")]
struct UnknownFlag(String);
