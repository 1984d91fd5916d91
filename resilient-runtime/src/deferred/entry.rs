//! What a store stores: a deferred write and its progress.

use std::fmt;
use std::time::Duration;

use resilient_policy::DeferredSettings;

use super::receipt::Receipt;
use super::time::Timestamp;

/// Where a deferred write is on its way.
///
/// ```text
///           claim            complete
/// Waiting ─────────▶ Running ────────▶ Done
///    ▲  ◀─────────────┘ │
///    │   fail, postpone,│ fail, exhausted
///    │   lease over     ▼
///    └───────────────  Dead ─────────▶ Discarded
///         retry             discard
/// ```
///
/// A waiting entry is [`Cancelled`](Self::Cancelled) at once, a running one after its try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum State {
    /// Waits for its next try.
    Waiting,
    /// A worker has claimed it.
    Running,
    /// Delivered.
    Done,
    /// A dead letter: not delivered, kept for an operator.
    Dead,
    /// Cancelled by its caller or an operator.
    Cancelled,
    /// Given up, by [`OnExhausted::Discard`](super::OnExhausted::Discard) or by an operator.
    Discarded,
}

impl State {
    /// All states, in the order of [`Counts`](super::Counts).
    pub const ALL: &'static [Self] =
        &[Self::Waiting, Self::Running, Self::Done, Self::Dead, Self::Cancelled, Self::Discarded];

    /// Returns the word used in stores, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }

    /// Returns the state of a word of [`as_str`](Self::as_str).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == word)
    }

    /// Returns whether a delivery is still to be expected.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

/// An idempotency key with the names within which it is unique.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The name of the server.
    pub server: String,
    /// The name of the tool.
    pub tool: String,
    /// The caller: a stable id of the user, never a token.
    pub principal: String,
    /// The key; for a tool without one, its arguments as canonical JSON. Only its hash is stored.
    pub key: String,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, tool, .. } = self;
        f.debug_struct("Scope").field("server", server).field("tool", tool).finish_non_exhaustive()
    }
}

/// A write to store.
#[derive(Clone)]
pub struct NewEntry {
    /// Its receipt, from [`Receipt::random`].
    pub receipt: Receipt,
    /// Its key, and for whom the key holds.
    pub scope: Scope,
    /// The arguments of the tool as canonical JSON.
    pub arguments: String,
    /// The correlation id of the call that was deferred.
    pub correlation_id: String,
    /// How it is delivered.
    pub policy: DeferredSettings,
    /// The earliest time of the first try.
    pub due: Timestamp,
    /// The current time.
    pub now: Timestamp,
}

impl fmt::Debug for NewEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { receipt, scope, .. } = self;
        f.debug_struct("NewEntry").field("receipt", receipt).field("scope", scope).finish_non_exhaustive()
    }
}

/// What logs, pages and operators may see of an entry: neither arguments nor principal nor result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The receipt. Show its [`short`](Receipt::short) form, since the receipt is what a caller presents.
    pub receipt: Receipt,
    /// The name of the server.
    pub server: String,
    /// The name of the tool.
    pub tool: String,
    /// How it is delivered.
    pub policy: DeferredSettings,
    /// When it was accepted.
    pub created: Timestamp,
    /// When its time to live ends: no try begins later, and its key is free again. Extended once by the cap for an entry
    /// that was never tried.
    pub expires: Timestamp,
    /// Where it is on its way.
    pub state: State,
    /// When something happens next: while it waits, the earliest time of the next try; while it runs, the end of the
    /// lease; after its end, the time from which [`sweep`](super::DeferredStore::sweep) removes it.
    pub due: Timestamp,
    /// The number of tries that began, including those whose process died.
    pub tries_used: u32,
    /// The number of tries whose lease ended without a result, because their process died or hung.
    pub interrupted: u32,
    /// Whether it is cancelled after the current try, unless that succeeds.
    pub cancel_requested: bool,
    /// The code of the last failure.
    pub last_code: Option<String>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl Summary {
    /// Returns the earliest time of the next try, while the entry waits.
    #[must_use]
    pub fn next_try(&self) -> Option<Timestamp> {
        (self.state == State::Waiting).then_some(self.due)
    }

    /// Returns the number of tries that are left, while a delivery is still to be expected.
    #[must_use]
    pub fn tries_left(&self) -> u32 {
        if self.state.is_live() { self.policy.tries.saturating_sub(self.tries_used) } else { 0 }
    }
}

/// An entry as a store stores it.
///
/// Its methods are the transitions of [`State`]. They are plain arithmetic without clock and I/O, so that every store
/// has the same: a store reads an entry, changes it and writes it back, in one transaction.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// What may be shown.
    pub summary: Summary,
    /// The caller, for the delivery. Erased when the entry ends, except for a dead letter.
    pub principal: String,
    /// The correlation id of the call that was deferred.
    pub correlation_id: String,
    /// The arguments as canonical JSON. Erased when the entry ends, except for a dead letter.
    pub arguments: String,
    /// The kept result as JSON: of the delivery, or of the last failed try.
    pub result: Option<String>,
    /// [`StoreSecret::principal_hash`](super::StoreSecret::principal_hash).
    pub principal_hash: u128,
    /// [`StoreSecret::key_hash`](super::StoreSecret::key_hash).
    pub key_hash: u128,
    /// [`StoreSecret::arguments_hash`](super::StoreSecret::arguments_hash).
    pub arguments_hash: u128,
    /// What only stores need.
    pub control: Control,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { summary, control, .. } = self;
        f.debug_struct("Entry").field("summary", summary).field("control", control).finish_non_exhaustive()
    }
}

/// The part of an entry that only stores and transitions need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Control {
    /// The fencing token of the latest claim, higher than that of the one before; 0 before the first. A store may let
    /// it grow by more than one, so that a token which a restored backup does not know is not given to another claim.
    pub fence: u64,
    /// The length of the latest lease.
    pub lease: Duration,
    /// Whether a new write with the same key has to be compared with this entry.
    pub holds_key: bool,
    /// Whether a second call received this receipt, so that the first call can no longer withdraw the entry.
    pub shared: bool,
    /// Whether the time to live was extended by the cap, because it seemed over at a start or before the first try.
    pub extended: bool,
}

/// The right to report the end of one try. A later claim of the entry makes it void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimToken {
    /// The entry.
    pub receipt: Receipt,
    /// The fencing token, which grows with each claim.
    pub fence: u64,
}
