//! Audits of Rust code for MCP clients, over stdio. See `auditor --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    auditor::main_from(env::args_os().skip(1))
}
