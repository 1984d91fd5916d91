//! `auditor`: reports questionable places in Rust code to MCP clients.
//!
//! Start reading at [`server`]: an analysis with a parser, and its fallbacks.

use std::{env, error::Error, ffi::OsString, path::PathBuf, process::ExitCode};

use resilient_runtime::Resilience;

use self::{root::Root, server::Auditor};
use crate::program::Program;

mod demo;
pub mod error;
mod nesting;
mod operations;
mod patterns;
mod process;
mod program;
mod project;
pub mod root;
mod schema;
pub mod server;
mod stdio;
mod syntax;
pub mod types;
mod worker;

const PROGRAM: Program = Program {
    name: "auditor",
    help: "\
auditor: audits of Rust code for MCP clients, over stdio

Usage: auditor [--demo]
       auditor rules | dashboard

  --demo     audit a small sample project instead
  --version  print the version
  --help     print this

  rules      print the rules of the alerts, for Prometheus
  dashboard  print a dashboard of the metrics, for Grafana

Environment:
  AUDITOR_ROOT  the directory below which projects are read; default: the current one
  RUST_LOG      log filter; the log is JSON lines on stderr; default info,rmcp=warn
",
};

/// Runs `auditor` with the arguments after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    PROGRAM.main(args, Resilience::from_env().tools(Auditor::tool_router), async |demo| root(demo).map(Auditor::new))
}

fn root(demo: bool) -> Result<Root, Box<dyn Error>> {
    if demo {
        return Ok(Root::of_sample(demo::project()?)?);
    }
    let directory =
        env::var_os("AUDITOR_ROOT").filter(|value| !value.is_empty()).map_or_else(|| ".".into(), PathBuf::from);
    Root::new(&directory).map_err(|source| NoRoot { directory, source }.into())
}

/// The root is missing or not readable.
#[derive(Debug, thiserror::Error)]
#[error("AUDITOR_ROOT is `{}`, expected a directory that can be read", directory.display())]
struct NoRoot {
    directory: PathBuf,
    source: std::io::Error,
}
