//! `search-server`: web search with two engines; the second is the fallback of the first.
//!
//! Start reading at [`server`]. [`engines`] has the two clients, [`demo`] a simulation of both services.

use std::{error::Error, ffi::OsString, process::ExitCode};

use resilient_runtime::Resilience;

use self::{engines::Engines, server::SearchServer, settings::Settings};
use crate::{embedded::Embedded, program::Program};

pub mod demo;
mod embedded;
pub mod engines;
pub mod error;
mod http;
mod operations;
mod process;
mod program;
mod schema;
pub mod server;
pub mod settings;
mod stdio;
pub mod types;

const PROGRAM: Program = Program {
    name: "search-server",
    help: "\
search-server: web search for MCP clients, over stdio

Usage: search-server [--demo]
       search-server rules | dashboard

  --demo     search a small embedded library instead (no account needed). There a query with the word `tavily:503` makes
             the first engine respond with that status, and one with `searxng:503` the second
  --version  print the version
  --help     print this

  rules      print the rules of the alerts, for Prometheus
  dashboard  print a dashboard of the metrics, for Grafana

Environment:
  TAVILY_API_KEY    the key of your Tavily account (required without --demo)
  TAVILY_BASE_URL   the first engine; default https://api.tavily.com
  SEARXNG_BASE_URL  the second engine, a SearXNG instance that allows `format=json` (required without --demo)
  RUST_LOG          log filter; the log is JSON lines on stderr; default info,rmcp=warn
",
};

/// Runs `search-server` with the arguments after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let settings = Resilience::from_env().tools(SearchServer::tool_router).breaker("searxng");
    PROGRAM.main(args, settings, async |demo| engines(demo).await.map(SearchServer::new))
}

async fn engines(demo: bool) -> Result<Engines, Box<dyn Error>> {
    if demo {
        Engines::of_demo(Embedded::start(demo::routes()).await?)
    } else {
        Ok(Engines::new(&Settings::from_env()?)?)
    }
}
