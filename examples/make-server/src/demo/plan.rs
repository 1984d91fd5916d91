//! What the demo does, phase by phase, and what the resilient server must come out with.

use std::time::Duration;

use crate::upstream::phase::Phase;

/// The longest that a call to the resilient server takes: the tools' `timeout`.
pub(super) const PROMISE: Duration = Duration::from_secs(8);

/// What a busy machine may add to it, and the pipe between client and server.
pub(super) const MARGIN: Duration = Duration::from_millis(500);

/// How long the client waits for the resilient server before it calls an answer missing: long enough to tell "late" from "never".
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// The client's limit for the bare server, which promises nothing: what the other one promises.
pub(super) const BARE_PATIENCE: Duration = Duration::from_millis(8_500);

/// The longest that a panic may take to be answered.
pub(super) const PANIC_LIMIT: Duration = Duration::from_secs(1);

/// One phase of the demo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) phase: Phase,
    /// Calls to each server.
    pub(super) calls: u64,
    /// Said when the phase begins.
    pub(super) says: &'static str,
    /// The share of reads, in percent, that must be right or honest about their age.
    pub(super) good_reads: u8,
    /// The share of reads that must be right.
    pub(super) right_reads: u8,
    /// The share of reads that must be old and say so.
    pub(super) stale_reads: u8,
    /// The share of runs that must have taken place.
    pub(super) right_runs: u8,
}

/// Calls begin at this distance, whether or not earlier ones have been answered: users do not wait for each other, and a server that
/// answers late must not be asked less for it.
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
    // Three retries leave one read in two hundred without an answer, and the last good one stands in for that. Runs are never
    // repeated, so those that fail stay failed.
    Step {
        phase: Phase::Flaky,
        calls: 110,
        says: "one request in four fails, one in ten is slow",
        good_reads: 99,
        right_reads: 80,
        stale_reads: 0,
        right_runs: 0,
    },
    // The server waits as long as it is told to, and answers from before where
    // the retries were of no use, or were too many for their budget.
    Step {
        phase: Phase::RateLimited,
        calls: 80,
        says: "three requests in five get 429, Retry-After 1 s",
        good_reads: 100,
        // Two in five are let through; retries, within their budget, bring some more.
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
    // The script marks one answer in four; a panic is not retried and not hidden behind old data, because it is a bug.
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
