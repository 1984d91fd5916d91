//! The tests of this program: the client and the rows without a proxy, with a few calls.

use std::process::{Command, ExitCode};
use std::{io, panic};

use crate::rounds::{self, Size};
use crate::ways;

type Check = fn() -> io::Result<()>;

const CHECKS: [(&str, Check); 3] = [
    ("the_direct_rows_answer_each_call_with_its_own_text", the_direct_rows_answer_each_call_with_its_own_text),
    ("a_process_that_ends_at_once_fails_with_what_it_wrote", a_process_that_ends_at_once_fails_with_what_it_wrote),
    ("a_tool_that_the_server_does_not_list_fails_the_start", a_tool_that_the_server_does_not_list_fails_the_start),
];

/// Runs all tests in this process.
pub(crate) fn run() -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (name, check) in CHECKS {
        match panic::catch_unwind(check) {
            Ok(Ok(())) => println!("test {name} ... ok"),
            Ok(Err(error)) => {
                println!("test {name} ... FAILED: {error}");
                code = ExitCode::FAILURE;
            }
            Err(_) => {
                println!("test {name} ... FAILED");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn the_direct_rows_answer_each_call_with_its_own_text() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let size = Size { rounds: 1, calls: 20, warm_up: 3 };
    let ways = ways::direct()?;
    let measured = rounds::run(&ways, size, folder.path())?;
    assert_eq!((measured.len(), measured[0].len()), (1, 2));
    for way in &measured[0] {
        for load in [&way.one, &way.many] {
            assert_eq!(load.calls.latencies.len(), 20);
            assert!(load.calls.latencies.is_sorted());
            assert!(load.calls.latencies.iter().all(|latency| !latency.is_zero() && *latency <= load.calls.took));
            assert!(!load.usage.cpu.is_zero());
        }
        assert!(!way.ready.is_zero());
        assert!(way.resident > 1_000, "{} KiB", way.resident);
    }
    assert_eq!(crate::table::print(&ways, &measured).len(), 2);
    Ok(())
}

fn a_process_that_ends_at_once_fails_with_what_it_wrote() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    for mut way in ways::direct()? {
        way.command = Box::new(|_| {
            let mut command = Command::new("sh");
            command.args(["-c", "echo no database >&2; exit 3"]);
            Ok(command)
        });
        let error = way.start(folder.path()).map(drop).expect_err("nothing answers").to_string();
        assert!(error.starts_with(&way.title()) && error.contains("no database"), "{error}");
    }
    Ok(())
}

fn a_tool_that_the_server_does_not_list_fails_the_start() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    for mut way in ways::direct()? {
        way.tool = "sing";
        let error = way.start(folder.path()).map(drop).expect_err("there is no such tool").to_string();
        assert!(error.contains("`sing`") && error.contains("\"echo\""), "{error}");
    }
    Ok(())
}
