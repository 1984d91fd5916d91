//! Sends HTTP requests for MCP clients, over stdio. See `api-debugger --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    api_debugger::main_from(env::args_os().skip(1))
}
