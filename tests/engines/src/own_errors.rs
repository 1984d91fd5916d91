//! A server whose tools return rmcp's `ErrorData`, as most servers do today.

use std::{error::Error, future::pending, process::ExitCode};

use resilient_runtime::resilient;
use rmcp::{ErrorData, ServiceExt, tool, tool_router, transport::stdio};

#[derive(Clone, Debug)]
struct OwnErrors;

#[resilient(timeout = "300ms")]
#[tool_router(server_handler)]
impl OwnErrors {
    /// Never answers.
    #[tool(annotations(read_only_hint = true))]
    async fn hang(&self) -> Result<String, ErrorData> {
        pending().await
    }

    /// Panics.
    #[tool(annotations(read_only_hint = true))]
    async fn panic(&self) -> Result<String, ErrorData> {
        panic!("only the log may show this")
    }

    /// Never answers, with a breaker that opens after two timeouts.
    #[resilient(breaker(name = "upstream", failures = 2, open = "27s"))]
    #[tool(annotations(read_only_hint = true))]
    async fn open(&self) -> Result<String, ErrorData> {
        pending().await
    }

    /// Fails with an error that the tool creates.
    #[tool(annotations(read_only_hint = true))]
    async fn refuse(&self) -> Result<String, ErrorData> {
        Err(ErrorData::invalid_params("no such order", None))
    }
}

pub(crate) fn main() -> ExitCode {
    if serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[tokio::main]
async fn serve() -> Result<(), Box<dyn Error>> {
    OwnErrors.serve(stdio()).await?.waiting().await?;
    Ok(())
}
