//! The servers that the end-to-end tests start: `make …` is make-server, `faults` the server whose tools fail in every
//! way, `many` the same server with hundreds of tools, `records FILE UPSTREAM` the one whose writes are deferred.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next() {
        Some(which) if which == "make" => make_server::main_from(arguments),
        Some(which) if which == "faults" => resilient_tests::faults::serve_stdio(),
        Some(which) if which == "many" => resilient_tests::faults::serve_many_stdio(),
        Some(which) if which == "records" => {
            resilient_tests::records::main_from(arguments.map(|argument| argument.to_string_lossy().into_owned()))
        }
        _ => {
            eprintln!("expected `make`, `faults`, `many` or `records`");
            ExitCode::FAILURE
        }
    }
}
