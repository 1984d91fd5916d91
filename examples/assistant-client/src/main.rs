//! Runs the tools that a model asks for. See `assistant-client --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    assistant_client::main_from(env::args_os().skip(1))
}
