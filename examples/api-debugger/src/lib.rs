//! `api-debugger`: sends one HTTP request to a host that its operator has listed, and returns the response.
//!
//! Start reading at [`server`]: one tool and its policy. The protection of the internal network is in `hosts` (the
//! allow list), `address` (resolved addresses) and `request` (validation).

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
mod operations;
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
       api-debugger rules | dashboard

  --demo     http://api.test and http://legacy.test are an embedded upstream; https is not available
  --version  print the version
  --help     print this

  rules      print the rules of the alerts, for Prometheus
  dashboard  print a dashboard of the metrics, for Grafana

Environment:
  API_DEBUGGER_HOSTS  the allowed hosts, separated by commas: `api.example.com` for its ports 80 and
                      443, `api.example.com:8443` for that one (required without --demo). Private, loopback and
                      link-local addresses are always rejected
  RUST_LOG            log filter; the log is JSON lines on stderr; default info,rmcp=warn
  RESILIENT__TOOL__TEST_API__TIMEOUT
                      how long a response may take; default 10s
",
};

/// Runs `api-debugger` with the arguments after the program's name.
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
