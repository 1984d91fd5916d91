//! The phases of the demo, and the results that the resilient server must reach.

use std::time::Duration;

use crate::upstream::phase::Phase;

/// The maximum duration of a call to the resilient server: the tools' `timeout`.
pub(super) const PROMISE: Duration = Duration::from_secs(8);

/// The tolerance for a busy machine and the pipe between client and server.
pub(super) const MARGIN: Duration = Duration::from_millis(500);

/// How long the client waits for the resilient server: long enough to distinguish "late" from "never".
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// The client's limit for the bare server: the duration that the resilient one promises.
pub(super) const BARE_PATIENCE: Duration = Duration::from_millis(8_500);

/// The maximum time until a panic is reported.
pub(super) const PANIC_LIMIT: Duration = Duration::from_secs(1);

/// One phase of the demo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) phase: Phase,
    /// Calls to each server.
    pub(super) calls: u64,
    /// Printed when the phase begins.
    pub(super) says: &'static str,
    /// The share of reads, in percent, that must be correct or marked as old.
    pub(super) good_reads: u8,
    /// The share of reads that must be correct.
    pub(super) right_reads: u8,
    /// The share of reads that must be old and marked so.
    pub(super) stale_reads: u8,
    /// The share of runs that must have been executed.
    pub(super) right_runs: u8,
}

/// The interval between the starts of two calls. It does not depend on earlier responses: users do not wait for each
/// other, and a slow server must not receive fewer calls.
pub(super) const EVERY: Duration = Duration::from_millis(40);

/// The demo's phases.
pub(super) const STEPS: [Step; 7] = [
    Step {
        phase: Phase::Healthy,
        calls: 50,
        says: "every answer is right and quick",
        good_reads: 100,
        right_reads: 100,
        stale_reads: 0,
        right_runs: 100,
    },
    // With three retries one read in two hundred fails, and falls back to the last good response. Runs are never
    // retried, so failed runs stay failed.
    Step {
        phase: Phase::Flaky,
        calls: 110,
        says: "one request in four fails, one in ten is slow",
        good_reads: 99,
        right_reads: 80,
        stale_reads: 0,
        right_runs: 0,
    },
    // The server waits as long as `Retry-After` says, and falls back to old responses if the retries fail or exceed
    // their budget.
    Step {
        phase: Phase::RateLimited,
        calls: 80,
        says: "three requests in five get 429, Retry-After 1 s",
        good_reads: 100,
        // Two in five succeed; retries within their budget add some more.
        right_reads: 50,
        stale_reads: 0,
        right_runs: 0,
    },
    Step {
        phase: Phase::Outage,
        calls: 80,
        says: "no request succeeds",
        good_reads: 100,
        right_reads: 0,
        stale_reads: 100,
        right_runs: 0,
    },
    Step {
        phase: Phase::Hanging,
        calls: 60,
        says: "requests are taken and never answered",
        good_reads: 100,
        right_reads: 0,
        stale_reads: 100,
        right_runs: 0,
    },
    // One response in four panics. A panic is a bug, so it is neither retried nor hidden behind old data.
    Step {
        phase: Phase::ToolPanic,
        calls: 50,
        says: "one answer in four makes the tool panic",
        good_reads: 60,
        right_reads: 60,
        stale_reads: 0,
        right_runs: 0,
    },
    Step {
        phase: Phase::Recovery,
        calls: 60,
        says: "healthy again",
        good_reads: 100,
        right_reads: 100,
        stale_reads: 0,
        right_runs: 100,
    },
];
