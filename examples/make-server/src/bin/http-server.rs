//! Make.com for MCP clients, over HTTP. See `http-server --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    make_server::http_server::main_from(env::args_os().skip(1))
}
