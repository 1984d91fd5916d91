//! A proxy for MCP servers in any language.

use std::process::ExitCode;

fn main() -> ExitCode {
    resilient_proxy::run(std::env::args_os().skip(1))
}
