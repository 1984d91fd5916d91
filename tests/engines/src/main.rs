//! The servers that the clients in other languages start: every example by its name, and `own-errors`.

mod own_errors;

use std::{env, process::ExitCode};

use resilient_examples::{api_debugger, auditor, http_server, make, quickstart, search, wiki_issues};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let server = args.next().and_then(|name| name.into_string().ok()).unwrap_or_default();
    match server.as_str() {
        "api-debugger" => api_debugger::main_from(args),
        "auditor" => auditor::main_from(args),
        "http-server" => http_server::main_from(args),
        "make-server" => make::main_from(args),
        "own-errors" => own_errors::main(),
        "quickstart" => quickstart::main_from(args),
        "search-server" => search::main_from(args),
        "wiki-issues" => wiki_issues::main_from(args),
        _ => {
            eprintln!("expected the name of an example, or `own-errors`");
            ExitCode::FAILURE
        }
    }
}
