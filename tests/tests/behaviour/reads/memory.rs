//! What is kept uses no more memory than the maximum says. In a separate process, because it measures the memory of the
//! process.

use std::io::Write as _;
use std::sync::Arc;

use resilient_runtime::export::prometheus;
use resilient_runtime::{Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::scrape::scrape;

use crate::error::Error;

const ANSWERS: u32 = 1_000;
const LENGTH: usize = 4_000_000;
const MAX_BYTES: u64 = 64 << 20;

#[resilient(cache(fresh = "1h", max_bytes = "64MiB", key = number), name = "memory.read")]
async fn read(number: u32) -> Result<String, Error> {
    Ok(format!("{number}{}", "x".repeat(LENGTH)))
}

/// The resident memory of this process in bytes, if the system shows it.
fn resident() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    let smaps = std::fs::read_to_string("/proc/self/smaps").ok()?;
    let size = smaps.lines().find_map(|line| line.strip_prefix("KernelPageSize:"))?;
    let kib: u64 = size.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(pages * kib * 1_024)
}

#[tokio::test]
async fn a_thousand_answers_of_4_mb_use_no_more_memory_than_the_maximum_and_a_fifth() {
    if ran_in_a_child() {
        return;
    }
    let registry = Arc::new(Registry::new());
    // What a first answer allocates and does not free belongs to the process.
    drop(read(0).await);
    let Some(before) = resident() else {
        let why = "this system does not show its resident memory";
        writeln!(std::io::stderr(), "\nSKIPPED: reads::memory: {why}").expect("stderr");
        return;
    };
    let mut most = 0;
    for number in 1..=ANSWERS {
        let answer = registry.clone().scope(read(number)).await.expect("an answer");
        assert!(answer.len() > LENGTH);
        drop(answer);
        most = most.max(resident().expect("as before").saturating_sub(before));
    }
    assert!(most <= MAX_BYTES * 12 / 10, "{} MiB more than {} MiB", most >> 20, before >> 20);
    let read = scrape(&prometheus::text(&registry));
    let bytes = read["resilient_cache_bytes{tool=fn memory.read}"];
    assert!((32.0 * 1_048_576.0..=64.0 * 1_048_576.0).contains(&bytes), "most of it is used: {bytes}");
}
