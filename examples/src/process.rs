//! What is the same in every server here that is not MCP: how its process runs, fails and ends.

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use resilient_runtime::Resilience;

use crate::http::provide_tls;

/// The exit code of a server that was called wrongly or is not configured.
pub(crate) const USAGE: u8 = 2;

/// Logging and settings first, so that whatever is guarded runs under them; then this, to its end.
pub(crate) fn start(
    program: &str,
    settings: Resilience,
    serve: impl AsyncFnOnce() -> Result<ExitCode, Box<dyn Error>>,
) -> ExitCode {
    // Whatever exports traces is an HTTP client too.
    provide_tls();
    // Dropped after everything else has ended.
    let _logging = resilient_runtime::init();
    match settings.start() {
        Ok(()) => block_on(serve()).unwrap_or_else(|error| log_failure(program, error.as_ref(), 1)),
        Err(error) => log_failure(program, &error, USAGE),
    }
}

/// Runs to the end, and leaves what is still running then behind: a read of stdin or a call without an end must
/// not keep the process alive after its client has gone.
pub(crate) fn run(program: &str, future: impl Future<Output = Result<ExitCode, Box<dyn Error>>>) -> ExitCode {
    block_on(future).unwrap_or_else(|error| fail(program, error.as_ref(), 1))
}

fn block_on(future: impl Future<Output = Result<ExitCode, Box<dyn Error>>>) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(future);
    runtime.shutdown_background();
    ended
}

/// Logs why the program ends, with every cause: once logging has started, every line on stderr is JSON and in order.
pub(crate) fn log_failure(program: &str, error: &dyn Error, code: u8) -> ExitCode {
    tracing::error!(event = "server.failed", "{program}: {}", with_causes(error));
    ExitCode::from(code)
}

/// Writes to stderr why the program ends, with every cause, as plain text: for programs that have not started logging.
pub(crate) fn fail(program: &str, error: &dyn Error, code: u8) -> ExitCode {
    tell(io::stderr(), &format!("{program}: {}", with_causes(error)), code)
}

/// An error's text, and those of its causes.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Writes a line; that nobody reads it is no reason to end otherwise.
pub(crate) fn tell(mut to: impl Write, text: &str, code: u8) -> ExitCode {
    let _ = writeln!(to, "{text}");
    ExitCode::from(code)
}

/// A variable of the environment. One that is no text is not taken for one that is missing: whoever reads it finds it wrong.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The value of a variable, unless it is blank.
pub(crate) fn said(value: Option<String>) -> Option<String> {
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
