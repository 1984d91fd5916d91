//! The measured functions, bare and guarded, and the instruments that need no quiet machine: the instructions and the
//! cache lines of a call, counted by valgrind. CI checks the instructions, so this package has few dependencies.
//! `resilient-bench` measures the time of the same functions.

pub mod bare;
pub mod limit;
pub mod ours;
pub mod valgrind;

use std::path::PathBuf;

/// The error of a call.
#[derive(Debug, thiserror::Error, resilient_runtime::McpError)]
pub enum Error {
    /// The dependency is down, and a retry would not help.
    #[error("the dependency is down")]
    #[mcp(kind = unavailable, retryable = false)]
    Down,
    /// An error of the pipeline.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] resilient_runtime::ResilienceError),
}

/// Stops a bench in a build whose clock can be paused, since everything would be slower than in a server.
///
/// # Panics
/// In such a build.
pub fn demand_a_servers_clock() {
    assert!(
        !resilient_runtime::__private::clock_can_be_paused(),
        "this build has tokio's feature `test-util`, from the tests that were built with it; name the package with `-p`"
    );
}

/// Returns the target folder of this build, where results are written.
#[must_use]
pub fn target() -> PathBuf {
    let binary = std::env::current_exe().unwrap_or_default();
    // `target/release/deps/bench-…`
    binary.ancestors().nth(3).map(PathBuf::from).unwrap_or_default()
}
