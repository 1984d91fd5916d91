//! What a store of deferred writes implements.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::entry::{ClaimToken, Entry, NewEntry, Scope, State, Summary};
use super::error::StoreError;
use super::receipt::Receipt;
use super::time::Timestamp;

/// The future of a method of a [`DeferredStore`].
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A durable store of deferred writes, which several processes may share.
///
/// # Contract
///
/// - **Durable**: a change is on disk, or where the store keeps its data, before the future returns.
/// - **Atomic**: each call happens as a whole or not at all, and in one order for all clients of the store. Only
///   [`recover`](Self::recover) may take several steps.
/// - **No clock**: the time is an argument. Times are compared with each other only.
/// - **Fenced**: each claim of an entry has a new token. A call with an older token changes nothing and returns `None`.
/// - **Bounded**: the store never blocks the thread that polls it. It returns
///   [`StoreErrorKind::Busy`](super::StoreErrorKind::Busy) after a few seconds if another client blocks it. Callers set
///   shorter limits by dropping the future.
/// - **Cancel safe**: if you drop a future, the change may or may not have happened, but never a part of it. For
///   [`put`](Self::put) the store also makes sure that the entry is withdrawn.
///
/// The transitions themselves are methods of [`Entry`], so that a store only has to find, read and write entries. The
/// function `testing::deferred::check_store`, with the feature `testing`, tests a store against this contract.
///
/// # Errors
///
/// Every method returns a [`StoreError`] if the store cannot be read or written. If a method returns an error, nothing
/// has changed.
pub trait DeferredStore: Send + Sync + fmt::Debug + 'static {
    /// Stores a write, or returns the entry that holds its key.
    ///
    /// If you drop the future before it is ready, the store withdraws the entry, immediately or after it has finished
    /// the write, unless another call received the receipt in between. If the process dies at that moment, the entry
    /// may remain.
    ///
    /// # Errors
    /// [`TooLarge`](super::StoreErrorKind::TooLarge) or [`Full`](super::StoreErrorKind::Full) beyond the
    /// [`Bounds`](super::Bounds) of the store.
    fn put(&self, entry: NewEntry) -> StoreFuture<'_, Put>;

    /// Removes an entry whose caller did not receive its receipt. Returns whether it was removed: not if a second call
    /// received the receipt, if a try has begun or if the store does not have it.
    fn withdraw(&self, receipt: Receipt) -> StoreFuture<'_, bool>;

    /// Returns the entry that holds a key, if there is one.
    ///
    /// This is one indexed read, which other clients do not delay.
    fn find<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>>;

    /// Returns the entry that holds a key, if there is one, which cannot be withdrawn from then on.
    ///
    /// A second caller may receive the receipt of an entry that [can be withdrawn](Entry::is_withdrawable) only after
    /// this.
    fn share<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>>;

    /// Returns the entry of a receipt, if the viewer may see it.
    fn get<'a>(&'a self, receipt: Receipt, viewer: &'a Viewer) -> StoreFuture<'a, Option<Entry>>;

    /// Claims due entries, those that are due longest first, and counts a try for each. Entries whose lease is over are
    /// due too, unless no try or time is left; then they end.
    fn claim<'a>(&'a self, claim: &'a Claim) -> StoreFuture<'a, Claims>;

    /// Extends a lease, until `now` and `lease`. Returns the end of the lease, or `None` if the token is not the
    /// latest.
    fn renew(&self, token: ClaimToken, lease: Duration, now: Timestamp) -> StoreFuture<'_, Option<Timestamp>>;

    /// Ends an entry as delivered. A result of more than
    /// [`MOST_RESULT_BYTES`](super::MOST_RESULT_BYTES), or one for which the store has no space, is not kept. Returns
    /// the entry as it is now, or `None` if the token is not the latest.
    fn complete(&self, token: ClaimToken, result: Option<String>, now: Timestamp) -> StoreFuture<'_, Option<Summary>>;

    /// Ends a failed try: the entry waits again, or ends if tries or time are used up, if the failure is final or if it
    /// was cancelled during the try. Returns the entry as it is now, or `None` if the token is not the latest.
    fn fail(&self, token: ClaimToken, failure: Failure, now: Timestamp) -> StoreFuture<'_, Option<Summary>>;

    /// Gives a claim back without using up a try, because nothing was tried. Returns the entry as it is now, or `None`
    /// if the token is not the latest.
    fn postpone(&self, token: ClaimToken, until: Timestamp, now: Timestamp) -> StoreFuture<'_, Option<Summary>>;

    /// Cancels an entry, if the viewer may see it. Returns `None` if there is none that the viewer may see.
    fn cancel<'a>(
        &'a self,
        receipt: Receipt,
        viewer: &'a Viewer,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Cancellation>>;

    /// Makes a dead letter wait again, with all tries and a new time to live.
    fn retry(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, Retried>;

    /// Erases a dead letter. Returns whether there was one.
    fn discard(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, bool>;

    /// Lists entries, the oldest first.
    fn list<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Summary>>;

    /// Counts the entries of a server by state, or those of all servers.
    fn counts<'a>(&'a self, server: Option<&'a str>) -> StoreFuture<'a, Counts>;

    /// Returns the time at which this machine started, on which all processes of the machine agree: the estimate of the
    /// first that calls this in `run`, a name for this run of the operating system.
    ///
    /// The processes that share a store compare times with each other, and their clocks differ if the system's clock was
    /// set between their starts. The default implementation returns the estimate, so that each process has its own clock:
    /// right for a store whose clients are all in one process.
    fn start_of_machine<'a>(&'a self, run: &'a str, estimate: Timestamp) -> StoreFuture<'a, Timestamp> {
        let _ = run;
        Box::pin(async move { Ok(estimate) })
    }

    /// Adapts the times of a server's entries to the clock of a process that starts. Call it once, before the first
    /// [`claim`](Self::claim) and [`sweep`](Self::sweep).
    ///
    /// The wall clock may have been wrong then or may be wrong now. Entries that are due later than their cap from now
    /// are due at the cap; leases end no later than their length from now; an entry whose time to live seems over is
    /// tried until the cap from now. Returns the number of entries that changed.
    fn recover<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, u64>;

    /// Ends a server's entries without a try or time left, except those that were never tried, whose
    /// time is [extended](Entry::settle) once, and removes its ended entries that need not be kept any longer. Entries of other
    /// servers do not change, because their times are those of another clock. A call handles a few hundred entries; call
    /// it every few seconds.
    fn sweep<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, Swept>;

    /// Writes something small, to learn whether the store could accept a write now, for health checks.
    ///
    /// # Errors
    /// The error that [`put`](Self::put) would return.
    fn check(&self) -> StoreFuture<'_, ()>;

    /// Returns whether all replicas of the server, on all machines, use the same data. Default `false`.
    ///
    /// If so, the health check `deferred` is not critical: while the data cannot be reached, no replica accepts writes, and
    /// a load balancer must not take all of them out.
    fn is_shared(&self) -> bool {
        false
    }
}

/// The result of [`DeferredStore::put`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// The write is stored.
    Accepted(Summary),
    /// An entry holds the key; nothing was stored.
    Existing(Found),
}

/// The entry that holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// Whether its arguments are those of the call. If not, the call conflicts with it.
    pub same_arguments: bool,
}

/// Who wants to see an entry.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Viewer {
    /// A client of a server, who sees its own entries only.
    Caller {
        /// The name of the server.
        server: String,
        /// The caller.
        principal: String,
    },
    /// An operator, who sees all.
    Operator,
}

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller { server, .. } => f.debug_struct("Caller").field("server", server).finish_non_exhaustive(),
            Self::Operator => f.write_str("Operator"),
        }
    }
}

/// A request for due entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The name of the server.
    pub server: String,
    /// The tools whose entries can be delivered.
    pub tools: Vec<ClaimedTool>,
    /// The maximum number of entries.
    pub limit: usize,
    /// The current time.
    pub now: Timestamp,
}

/// A tool in a [`Claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedTool {
    /// The name of the tool.
    pub name: String,
    /// The length of the lease of its tries, longer than a try.
    pub lease: Duration,
}

/// The result of [`DeferredStore::claim`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// The claimed entries. Their [`token`](Entry::token) is the right to end the try.
    pub entries: Vec<Entry>,
    /// Entries that ended instead, without a try or time left.
    pub ended: Vec<Summary>,
    /// When another claim of the same tools can find an entry, as far as this store knows now.
    pub next: Option<Timestamp>,
}

/// How a try failed.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code of the error, cut at 64 bytes.
    pub code: String,
    /// The result of the try as JSON, kept if it is at most [`MOST_RESULT_BYTES`](super::MOST_RESULT_BYTES).
    pub result: Option<String>,
    /// When to try again.
    pub next: NextTry,
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, next, .. } = self;
        f.debug_struct("Failure").field("code", code).field("next", next).finish_non_exhaustive()
    }
}

/// When to try again after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextTry {
    /// At this time, if a try is left and the time to live is not over by then.
    At(Timestamp),
    /// Never: a further try would fail in the same way.
    Never,
}

/// The result of [`DeferredStore::cancel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// It is cancelled.
    Cancelled,
    /// A try is running; it is cancelled after the try, unless that succeeds.
    AfterTry,
    /// It had ended.
    Ended(State),
}

/// The result of [`DeferredStore::retry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Retried {
    /// It waits again and is due.
    Waits,
    /// A later write with the same key was accepted after the dead letter's time to live.
    KeyTaken(Receipt),
    /// There is no dead letter with this receipt.
    NotDead,
}

/// Which entries [`DeferredStore::list`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this server.
    pub server: Option<String>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those after this entry, for the next page. If it has been removed, the page is empty.
    pub after: Option<Receipt>,
    /// The maximum number.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self { server: None, state: None, after: None, limit: 100 }
    }
}

/// The result of [`DeferredStore::sweep`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Entries that ended, without a try or time left.
    pub ended: Vec<Summary>,
    /// The number of entries that were removed.
    pub removed: u64,
}

/// The result of [`DeferredStore::counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Entries that wait.
    pub waiting: u64,
    /// Entries with a running try.
    pub running: u64,
    /// Delivered entries that are kept.
    pub done: u64,
    /// Dead letters.
    pub dead: u64,
    /// Cancelled entries that are kept.
    pub cancelled: u64,
    /// Entries that were given up and are kept.
    pub discarded: u64,
    /// Tries of these entries whose process died or hung.
    pub interrupted: u64,
    /// When the oldest entry that waits or runs was accepted.
    pub oldest: Option<Timestamp>,
}

impl Counts {
    /// Returns the number of entries in a state.
    #[must_use]
    pub const fn of(&self, state: State) -> u64 {
        match state {
            State::Waiting => self.waiting,
            State::Running => self.running,
            State::Done => self.done,
            State::Dead => self.dead,
            State::Cancelled => self.cancelled,
            State::Discarded => self.discarded,
        }
    }

    /// Adds entries to a count, for stores.
    pub fn add(&mut self, state: State, entries: u64) {
        let count = match state {
            State::Waiting => &mut self.waiting,
            State::Running => &mut self.running,
            State::Done => &mut self.done,
            State::Dead => &mut self.dead,
            State::Cancelled => &mut self.cancelled,
            State::Discarded => &mut self.discarded,
        };
        *count = count.saturating_add(entries);
    }
}
