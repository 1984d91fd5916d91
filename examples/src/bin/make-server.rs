//! Make.com for MCP clients, over stdio. See `make-server --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    resilient_examples::make::main_from(env::args_os().skip(1))
}
