//! Tests that need a separate process: a child process of the same executable runs them.

use std::env;
use std::process::{Command, Stdio};
use std::thread;

/// Set in the child: the name of the only test that it runs.
const CHILD: &str = "RUNS_ALONE";

/// Runs the calling test in a child process, and returns whether this is the parent, which has nothing left to do.
///
/// libtest runs the tests of one executable in parallel threads. A test begins with
/// `if ran_in_a_child() { return; }` if it reads or changes what the whole process shares: the statistics of all
/// tools, the global subscriber, the panic hook, memory, the number of clients.
///
/// # Panics
/// If the test fails in the child, or if the current thread does not have a test's name, as in a spawned task.
#[must_use]
pub fn ran_in_a_child() -> bool {
    let thread = thread::current();
    let test = thread.name().expect("libtest names the thread of a test");
    if env::var_os(CHILD).is_some_and(|only| only == test) {
        return false;
    }
    let output = Command::new(env::current_exe().expect("the path of this executable"))
        .args([test, "--exact"])
        .env(CHILD, test)
        // `.ci/run` looks there for tests that were skipped.
        .stderr(Stdio::inherit())
        .output()
        .expect("the child starts");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && report.contains("1 passed"), "`{test}` in a child process:\n{report}");
    true
}
