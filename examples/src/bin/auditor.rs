//! Audits of Rust code for MCP clients, over stdio. See `auditor --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    resilient_examples::auditor::main_from(env::args_os().skip(1))
}
