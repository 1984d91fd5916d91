//! A second day of errors uses no more memory than the first. In a separate process, because it measures the memory of
//! the process.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::{Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::ShopError;
use tokio::time::advance;

const ERRORS_PER_MINUTE: u64 = 200;
/// One byte for each error of a day, to allow for the allocator.
const MOST_KIB: u64 = ERRORS_PER_MINUTE * 60 * 24 / 1_024;

#[resilient(name = "trends.memory")]
async fn fails(n: u64) -> Result<u64, ShopError> {
    match n % 3 {
        0 => Err(ShopError::Down(n.to_string())),
        1 => Err(ShopError::Full),
        _ => Err(ShopError::Missing(n.to_string())),
    }
}

/// The anonymous memory of this process in KiB, such as its heap, if the system shows it. Unlike `VmRSS` it is exact, and
/// contains no pages of the executable.
fn anonymous() -> Option<u64> {
    let smaps = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = smaps.lines().find_map(|line| line.strip_prefix("Anonymous:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Functions and tools count with the same code; calls of functions take less time.
#[tokio::test(start_paused = true)]
async fn a_second_day_of_errors_uses_no_more_memory_than_the_first() {
    if ran_in_a_child() {
        return;
    }
    let registry = Arc::new(Registry::new());
    let minutes = async |minutes: u64| {
        for _ in 0..minutes {
            for n in 0..ERRORS_PER_MINUTE {
                registry.clone().scope(fails(n)).await.expect_err("it fails");
            }
            drop((registry.error_trends(), registry.functions()));
            advance(Duration::from_secs(60)).await;
        }
    };
    minutes(24 * 60).await;
    let Some(before) = anonymous() else {
        let why = "this system does not show its anonymous memory";
        writeln!(std::io::stderr(), "\nSKIPPED: trends::memory: {why}").expect("stderr");
        return;
    };
    minutes(24 * 60).await;
    let grown = anonymous().expect("as before").saturating_sub(before);
    assert!(grown <= MOST_KIB, "{grown} KiB more than {before} KiB");
    let counted = registry.function("trends.memory").expect("counted");
    assert_eq!(counted.errors.iter().map(|error| error.count).sum::<u64>(), 2 * 24 * 60 * ERRORS_PER_MINUTE);
}
