//! The servers that the clients in other languages start: every example by its name, `own-errors` and `requests`.

mod own_errors;
mod requests;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let server = args.next().and_then(|name| name.into_string().ok()).unwrap_or_default();
    if server == "own-errors" {
        return own_errors::main();
    }
    if server == "requests" {
        return requests::main();
    }
    resilient_example_tests::run(&server, args).unwrap_or_else(|| {
        eprintln!("expected the name of an example, `own-errors` or `requests`");
        ExitCode::FAILURE
    })
}
