//! Confluence and Jira for MCP clients, over stdio. See `wiki-issues --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    wiki_issues::main_from(env::args_os().skip(1))
}
