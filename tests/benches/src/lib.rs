//! The shared code of the benches: the measured functions, whose bare and guarded forms are those of
//! `resilient-instructions`, the other ways to guard them, and the instruments: interleaved timing, a counting allocator and an MCP client.

pub mod allocations;
pub mod careful;
pub mod client;
pub mod interleaved;
pub mod stacked;

pub use resilient_instructions::{Error, bare, demand_a_servers_clock, ours, target, valgrind};

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
