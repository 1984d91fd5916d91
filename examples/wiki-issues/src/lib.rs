//! `wiki-issues`: the pages of [Confluence] and the issues of [Jira], both Cloud, for MCP clients.
//!
//! Start reading at `wiki`, `issues` and `changes`: the tools, their policies, and the steps to do the same by hand.
//! Reads fall back to the last good response. A change reports `performed: false` only if nothing was changed.
//!
//! [Confluence]: https://developer.atlassian.com/cloud/confluence/rest/v2/
//! [Jira]: https://developer.atlassian.com/cloud/jira/platform/rest/v3/

use std::{ffi::OsString, process::ExitCode};

use resilient_runtime::Resilience;

use self::{server::WikiIssues, settings::Settings, site::Site};
use crate::{embedded::Embedded, program::Program};

mod changes;
mod confluence;
pub mod demo;
mod document;
mod embedded;
mod error;
mod http;
mod issues;
mod jira;
mod operations;
mod process;
mod program;
mod schema;
mod server;
mod settings;
mod site;
mod stdio;
mod token;
mod types;
mod wiki;

const HELP: &str = "\
wiki-issues: Confluence and Jira for MCP clients, over stdio

Usage: wiki-issues [--demo]
       wiki-issues rules | dashboard

  --demo     use an embedded simulation of both (no account needed). The response to a request
             with a number from 400 to 599 has that status: get_issue DEMO-503
  --version  print the version
  --help     print this

  rules      print the rules of the alerts, for Prometheus
  dashboard  print a dashboard of the metrics, for Grafana

Environment:
  ATLASSIAN_BASE_URL   your site, for example https://example.atlassian.net
  ATLASSIAN_EMAIL      the account of this server
  ATLASSIAN_TOKEN      an API token of that account (id.atlassian.com, Security, API tokens)
  ATLASSIAN_TOKEN_FILE a file with the token instead; it is read again when the site refuses the token, and
                       deleting it withdraws the access of all clients at once
  ATLASSIAN_READ_ONLY  `true` rejects all changes; default false
  RUST_LOG             log filter; the log is JSON lines on stderr; default info,rmcp=warn
";

/// Runs `wiki-issues` with the arguments after the program's name.
#[must_use]
pub fn main_from(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let program = Program { name: "wiki-issues", help: HELP };
    // Lives as long as the server.
    let mut upstream = None;
    program.main(args, Resilience::from_env().tools(WikiIssues::tools), async |demo| {
        let settings = if demo {
            let running = upstream.insert(Embedded::start(demo::routes()).await?);
            Settings::for_demo(&running.origin())?
        } else {
            Settings::from_env()?
        };
        Ok(WikiIssues::new(Site::new(settings)?))
    })
}
