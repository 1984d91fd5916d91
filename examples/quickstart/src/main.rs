//! Every key of `#[resilient]` once, in a small server over stdio. See `quickstart --help`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    quickstart::main_from(env::args_os().skip(1))
}
