//! Web search for MCP clients, over stdio. See `search-server --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    search_server::main_from(env::args_os().skip(1))
}
