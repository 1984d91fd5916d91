//! Every example server in one executable, so that the tests link them once.

use std::{ffi::OsString, process::ExitCode};

/// Runs the server of this name with the remaining arguments. `None` if no example has this name.
#[must_use]
pub fn run(server: &str, args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    Some(match server {
        "api-debugger" => api_debugger::main_from(args),
        "auditor" => auditor::main_from(args),
        "http-server" => make_server::http_server::main_from(args),
        "make-server" => make_server::main_from(args),
        "quickstart" => quickstart::main_from(args),
        "scenario-sync" => scenario_sync::main_from(args),
        "search-server" => search_server::main_from(args),
        "wiki-issues" => wiki_issues::main_from(args),
        _ => return None,
    })
}
