//! A server over stdio, around its tools: flags, logging, settings, and the end.

use std::{error::Error, ffi::OsString, io, process::ExitCode};

use resilient_runtime::Resilience;
use rmcp::{ServerHandler, ServiceExt, handler::server::router::tool::ToolRouter, transport::io::stdio_pipes};

use crate::{
    http::provide_tls,
    process::{USAGE, fail, run, tell},
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
    /// `main`: with `--demo` or without, until the client has gone. The arguments are those after the program's name.
    ///
    /// `server` makes what serves, on an embedded upstream where it is told `true`. An error of it means that the
    /// server is not configured: the exit code is 2 then, as for a wrong argument or setting.
    pub fn main<S: ServerHandler>(
        self,
        args: impl IntoIterator<Item = OsString>,
        tools: fn() -> ToolRouter<S>,
        server: impl AsyncFnOnce(bool) -> Result<S, Box<dyn Error>>,
    ) -> ExitCode {
        self.main_with(args, Resilience::from_env().tools(tools), server)
    }

    /// [`main`](Self::main) of a server in which not only tools are guarded: the settings have to know what else is.
    pub fn main_with<S: ServerHandler>(
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
        self.start_with(settings, async move || match server(demo).await {
            Ok(server) => converse(server).await,
            Err(error) => Ok(fail(self.name, error.as_ref(), USAGE)),
        })
    }

    /// Logging and settings first, so that whatever is guarded runs under them; then this, to its end.
    pub(crate) fn start<S: Send + Sync + 'static>(
        self,
        tools: fn() -> ToolRouter<S>,
        serve: impl AsyncFnOnce() -> Result<ExitCode, Box<dyn Error>>,
    ) -> ExitCode {
        self.start_with(Resilience::from_env().tools(tools), serve)
    }

    fn start_with(
        self,
        settings: Resilience,
        serve: impl AsyncFnOnce() -> Result<ExitCode, Box<dyn Error>>,
    ) -> ExitCode {
        // Whatever exports traces is an HTTP client too.
        provide_tls();
        // Dropped after everything else has ended.
        let _logging = resilient_runtime::init();
        match settings.start() {
            Ok(()) => run(self.name, serve()),
            Err(error) => fail(self.name, &error, USAGE),
        }
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
