//! `quickstart`: a small server in which every key of `#[resilient]` stands once. Read [`server`] from top to bottom.
//!
//! But for `crate`, which is for those who rename the runtime.

use std::{error::Error, ffi::OsString, process::ExitCode};

use resilient_runtime::Resilience;

use self::server::BookShop;
use crate::{embedded::Embedded, program::Program};

mod demo;
mod embedded;
mod process;
mod program;
mod schema;
pub mod server;
mod stdio;

const PROGRAM: Program = Program {
    name: "quickstart",
    help: "\
quickstart: a book shop for MCP clients, over stdio; every key of #[resilient] once

Usage: quickstart [--demo]

  --demo     the shop is embedded and fails by a script; so it is without the flag, as there is no other
  --version  print the version
  --help     print this

What fails, and how, goes by the id: nothing for 1, some things for 2 and 3. Order 4 is had after a
pause of 3 s, for which the shop asks; for order 5 it asks for 2 minutes, and no call waits that long.

Environment:
  RUST_LOG   what is logged, as JSON lines on stderr; default info,rmcp=warn
",
};

/// `main` of `quickstart`. The arguments are those after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    PROGRAM.main(args, Resilience::from_env().tools(BookShop::tool_router), server)
}

async fn server(_demo: bool) -> Result<BookShop, Box<dyn Error>> {
    Ok(BookShop::new(Embedded::start(demo::routes()).await?)?)
}
