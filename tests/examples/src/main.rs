//! An example server: `example-servers NAME [ARGUMENTS]`.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let server = args.next().and_then(|name| name.into_string().ok()).unwrap_or_default();
    resilient_example_tests::run(&server, args).unwrap_or_else(|| {
        eprintln!("expected the name of an example");
        ExitCode::FAILURE
    })
}
