//! The shared code of the benches: the measured function, bare and in each of the ways to guard it, and the
//! instruments: interleaved timing and a counting allocator.

pub mod allocations;
pub mod bare;
pub mod careful;
pub mod interleaved;
pub mod ours;
pub mod stacked;

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
        "this build has tokio's feature `test-util`, from the tests that were built with it; add `-p resilient-bench`"
    );
}

/// Returns the target folder of this build, where results are written.
#[must_use]
pub fn target() -> PathBuf {
    let binary = std::env::current_exe().unwrap_or_default();
    // `target/release/deps/bench-…`
    binary.ancestors().nth(3).map(PathBuf::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use resilient_runtime::{Registry, resilient};

    use super::{Error, allocations};

    #[resilient(name = "sleeps", timeout = "40ms")]
    async fn sleeps(time: Duration) -> Result<(), Error> {
        tokio::time::sleep(time).await;
        Ok(())
    }

    #[resilient(name = "fails")]
    async fn fails() -> Result<(), Error> {
        Err(Error::Down)
    }

    #[resilient(name = "succeeds")]
    async fn succeeds() -> Result<(), Error> {
        Ok(())
    }

    #[test]
    fn a_good_call_and_an_error_whose_code_is_known_are_counted_without_an_allocation() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let _ = (succeeds().await, fails().await);
        });
        // Other tests may allocate in the meantime, but not each time.
        let fewest = |run: &dyn Fn()| (0..200).map(|_| allocations::count(run)).min();
        assert_eq!(fewest(&|| assert!(runtime.block_on(succeeds()).is_ok())), Some(0));
        assert_eq!(fewest(&|| assert!(runtime.block_on(fails()).is_err())), Some(0));
    }

    /// When built alone, this package has a clock that cannot be paused, unlike the other tests.
    #[test]
    fn calls_take_the_time_that_they_take() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            // The first rounds run before the frequency of the processor's counter is known, the others after that.
            for round in 1..=10_u32 {
                let started = Instant::now();
                assert!(sleeps(Duration::from_millis(10)).await.is_ok());
                assert!(sleeps(Duration::from_secs(60)).await.is_err());
                let took = started.elapsed();
                assert!(took >= Duration::from_millis(50) && took < Duration::from_secs(5), "{took:?}");
                let read = Registry::global().function("sleeps").expect("counted");
                let durations = read.durations();
                assert!(durations.sum >= round * Duration::from_millis(50), "{durations:?}");
                assert!(durations.sum < round * Duration::from_secs(5), "{durations:?}");
            }
        });
    }
}
