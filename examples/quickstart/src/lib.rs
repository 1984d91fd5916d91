//! `quickstart`: a small server that uses most keys of `#[resilient]` once. Read [`server`] from top to bottom.
//!
//! The one exception is `crate`, which you need only if you rename the runtime.

use std::{error::Error, ffi::OsString, process::ExitCode};

use resilient_runtime::Resilience;

use self::server::BookShop;
use crate::{embedded::Embedded, program::Program};

mod demo;
mod embedded;
mod operations;
mod process;
mod program;
mod schema;
pub mod server;
mod stdio;

const PROGRAM: Program = Program {
    name: "quickstart",
    help: "\
quickstart: a book shop for MCP clients, over stdio; most keys of #[resilient] once

Usage: quickstart [--demo]
       quickstart rules | dashboard

  --demo     has no effect: the shop is embedded in any case, and fails by a script
  --version  print the version
  --help     print this

  rules      print the rules of the alerts, for Prometheus
  dashboard  print a dashboard of the metrics, for Grafana

The id selects what fails: nothing for 1, some requests for 2 and 3. Order 4 succeeds after the 3 s
that the shop requests; for order 5 it requests 2 minutes, and no call waits that long.

Environment:
  RUST_LOG   log filter; the log is JSON lines on stderr; default info,rmcp=warn
",
};

/// Runs `quickstart` with the arguments after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    PROGRAM.main(args, Resilience::from_env().tools(BookShop::tool_router), server)
}

async fn server(_demo: bool) -> Result<BookShop, Box<dyn Error>> {
    Ok(BookShop::new(Embedded::start(demo::routes()).await?)?)
}
