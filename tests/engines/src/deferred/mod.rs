//! Servers whose writes are deferred: the upstream is down when a client calls, and up when the worker delivers.

mod beside;
mod http;
mod orders;
mod tasks;

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use resilient_runtime::{CallContext, McpError, ResilienceError};
use resilient_sqlite::SqliteStore;

/// Why a tool failed.
#[derive(Debug, thiserror::Error, McpError)]
enum Failure {
    /// Deferred.
    #[error("the upstream is down")]
    #[mcp(kind = unavailable)]
    Down,
    /// Deferred, with a first try after this time.
    #[error("the upstream is busy")]
    #[mcp(kind = unavailable)]
    Busy(#[mcp(retry_after)] Duration),
    /// The end of a delivery: a result with `isError`.
    #[error("the upstream refuses this")]
    #[mcp(kind = failed_precondition)]
    Refused,
    /// The end of a delivery: a JSON-RPC error.
    #[error("the job does not exist")]
    #[mcp(kind = not_found, protocol = -33001)]
    Missing,
    /// Timeouts, rejections, panics.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// Fails like a request to an upstream that is down, except at a delivery.
fn upstream() -> Result<(), Failure> {
    let is_delivery = CallContext::current().is_some_and(|call| call.delivery().is_some());
    if is_delivery { Ok(()) } else { Err(Failure::Down) }
}

/// Runs the server of this name. The argument is the folder of its store.
pub(crate) fn main(server: &str, args: impl Iterator<Item = OsString>) -> ExitCode {
    crate::exit_code(run(server, args))
}

#[tokio::main]
async fn run(server: &str, mut args: impl Iterator<Item = OsString>) -> Result<(), Box<dyn Error>> {
    let folder = args.next().ok_or("expected the folder of the store")?;
    let store = SqliteStore::open(Path::new(&folder).join("deferred.db"))?;
    match server {
        "orders" => orders::serve(store).await,
        "tasks" => tasks::serve(store).await,
        _ => beside::serve(store).await,
    }
}
