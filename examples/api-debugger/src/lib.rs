//! `api-debugger`: sends one HTTP request and shows what came back, to hosts that its operator has named and nowhere else.
//!
//! [`server`] is the part to read first: one tool and its policy. What keeps it from being used against the network that it stands in is
//! in `hosts` (the list), `address` (what a name resolves to) and `request` (what may be sent).

use std::{error::Error, ffi::OsString, process::ExitCode};

use resilient_runtime::Resilience;

use self::{client::ApiClient, hosts::Hosts, server::ApiDebugger};
use crate::{program::Program, upstream::Upstream};

mod address;
mod body;
mod client;
mod demo;
pub mod error;
mod hosts;
mod process;
mod program;
mod request;
mod schema;
pub mod server;
mod stdio;
mod upstream;

const PROGRAM: Program = Program {
    name: "api-debugger",
    help: "\
api-debugger: sends HTTP requests for MCP clients, over stdio

Usage: api-debugger [--demo]

  --demo     http://api.test and http://legacy.test are an embedded upstream; https is not to be had
  --version  print the version
  --help     print this

Environment:
  API_DEBUGGER_HOSTS  the hosts that may be asked, separated by commas: `api.example.com` for its ports 80 and
                      443, `api.example.com:8443` for that one (required without --demo). Private, loopback and
                      link-local addresses are refused, whatever stands here
  RUST_LOG            what is logged, as JSON lines on stderr; default info,rmcp=warn
  RESILIENT__TOOL__TEST_API__TIMEOUT
                      how long an answer may take; default 10s
",
};

/// `main` of `api-debugger`. The arguments are those after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    PROGRAM.main(args, Resilience::from_env().tools(ApiDebugger::tool_router), server)
}

async fn server(demo: bool) -> Result<ApiDebugger, Box<dyn Error>> {
    let hosts = Hosts::from_env(demo)?;
    let upstream = if demo { Some(Upstream::start(demo::routes()).await?) } else { None };
    let client = ApiClient::new(hosts, upstream.as_ref().map(Upstream::address))?;
    Ok(ApiDebugger::new(client, upstream))
}
