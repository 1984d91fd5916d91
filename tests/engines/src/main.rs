//! What the tests start: every example by its name, the servers in the modules here, and the proxy.

mod deferred;
mod own_errors;
mod permit;
mod records;
mod replica;
mod requests;
mod status_page;

use std::{env, error::Error, process::ExitCode};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let server = args.next().and_then(|name| name.into_string().ok()).unwrap_or_default();
    match &*server {
        "own-errors" => return own_errors::main(),
        "requests" => return requests::main(),
        "permit" => return permit::main(args),
        "records" => return records::main(args),
        "replica" => return replica::main(),
        "proxy" => return resilient_proxy::run(args),
        "status-page" => return status_page::main(args),
        "orders" | "tasks" | "tasks-beside" => return deferred::main(&server, args),
        _ => {}
    }
    resilient_example_tests::run(&server, args).unwrap_or_else(|| {
        eprintln!(
            "expected an example, `own-errors`, `permit`, `proxy`, `records`, `replica`, `requests`, `status-page`, \
             `orders`, `tasks` or `tasks-beside`"
        );
        ExitCode::FAILURE
    })
}

/// Returns the exit code of a server, after its error is written to the log.
fn exit_code(ended: Result<(), Box<dyn Error>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
