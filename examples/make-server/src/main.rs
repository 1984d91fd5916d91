//! Make.com for MCP clients, over stdio. See `make-server --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    make_server::main_from(env::args_os().skip(1))
}
