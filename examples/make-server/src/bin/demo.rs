//! One MCP server with and without `#[resilient]`, while its upstream fails. See `demo --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    make_server::demo::main_from(env::args_os().skip(1))
}
