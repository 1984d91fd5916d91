//! Synchronises scenarios for MCP clients, over stdio. See `scenario-sync --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    scenario_sync::main_from(env::args_os().skip(1))
}
