//! Deferred writes without their arguments, principals and results. The receipt is cut, because it is what a caller
//! presents.

use serde::Serialize;

use crate::deferred::{Counts, Deferral, Summary, Timestamp};
use crate::redact;

/// The deferred writes of this server.
#[derive(Debug, Serialize)]
pub(crate) struct DeferredWrites {
    /// The name under which the server stores its writes.
    pub(crate) server: String,
    pub(crate) counts: DeferredCounts,
    /// The entries, those that were accepted first come first.
    pub(crate) entries: Vec<DeferredEntry>,
}

/// The number of entries of the server.
#[derive(Debug, Serialize)]
pub(crate) struct DeferredCounts {
    pub(crate) waiting: u64,
    pub(crate) running: u64,
    pub(crate) done: u64,
    pub(crate) dead: u64,
    pub(crate) cancelled: u64,
    pub(crate) discarded: u64,
    /// The number of tries of these entries whose process died or hung.
    pub(crate) interrupted: u64,
    /// When the oldest entry that waits or runs was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oldest_unix_ms: Option<u64>,
}

/// One deferred write.
#[derive(Debug, Serialize)]
pub(crate) struct DeferredEntry {
    /// The first characters of the receipt.
    pub(crate) id: String,
    pub(crate) tool: String,
    pub(crate) state: &'static str,
    pub(crate) accepted_unix_ms: u64,
    /// The end of its time to live.
    pub(crate) expires_unix_ms: u64,
    /// The earliest time of the next try, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_attempt_unix_ms: Option<u64>,
    /// The number of tries that began.
    pub(crate) tries: u32,
    pub(crate) tries_left: u32,
    /// The number of tries whose process died or hung.
    pub(crate) interrupted: u32,
    /// The code of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_unix_ms: Option<u64>,
    /// Whether it is cancelled after the current try, unless that succeeds.
    pub(crate) cancel_requested: bool,
    /// What happens without a try or time left.
    pub(crate) on_exhausted: &'static str,
}

impl DeferredWrites {
    pub(crate) fn new(deferral: &Deferral, counts: Counts, entries: &[Summary]) -> Self {
        Self {
            server: deferral.server.clone(),
            counts: DeferredCounts::from(counts),
            entries: entries.iter().map(DeferredEntry::from).collect(),
        }
    }
}

impl From<Counts> for DeferredCounts {
    fn from(counts: Counts) -> Self {
        let Counts { waiting, running, done, dead, cancelled, discarded, interrupted, oldest } = counts;
        let oldest_unix_ms = oldest.map(Timestamp::millis);
        Self { waiting, running, done, dead, cancelled, discarded, interrupted, oldest_unix_ms }
    }
}

impl From<&Summary> for DeferredEntry {
    fn from(entry: &Summary) -> Self {
        Self {
            id: entry.receipt.short(),
            tool: entry.tool.clone(),
            state: entry.state.as_str(),
            accepted_unix_ms: entry.created.millis(),
            expires_unix_ms: entry.expires.millis(),
            next_attempt_unix_ms: entry.next_try().map(Timestamp::millis),
            tries: entry.tries_used,
            tries_left: entry.tries_left(),
            interrupted: entry.interrupted,
            last_code: entry.last_code.as_deref().map(redact::fit),
            ended_unix_ms: entry.ended.map(Timestamp::millis),
            cancel_requested: entry.cancel_requested,
            on_exhausted: entry.policy.on_exhausted.as_str(),
        }
    }
}
