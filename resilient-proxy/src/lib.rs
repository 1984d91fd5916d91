//! The proxy as a library: what `main` runs, and what tests start in their own process.

use std::ffi::OsString;
use std::process::ExitCode;

mod admin;
mod arguments;
mod bridge;
mod front;
mod merge;
mod per_session;
mod run;
mod service;
mod setup;

/// Runs the proxy with these arguments, without the name of the program, until its client or a signal ends it. Returns 2
/// if the arguments or the settings are wrong.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    run::run(arguments)
}
