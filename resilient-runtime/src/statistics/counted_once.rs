//! Calls that are counted once for several statistics.
//!
//! Nearly every call begins with an attempt at once, and ends well with it. It is a call of its function, an attempt of
//! it, and a success of its breaker, which take the same time. It is counted in one cache line, and a reader of one of the
//! three statistics adds it to them. So is a call that an open breaker rejects at once. A call that ends otherwise has only
//! its start here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cache_line::CELLS;
use super::histogram::{self, HistogramSnapshot};
use super::sharded::{LineCounters, Sharded};
use crate::retry::Budget;

/// Calls that began with an attempt at once, however they ended.
const STARTED: usize = 0;
/// First attempts in the current second.
const DEPOSITS: usize = STARTED + 1;
/// Durations of the calls that the breaker rejected, which are in the shortest bucket.
const REJECTED: usize = DEPOSITS + 1;
/// Durations of the calls that ended well with their first attempt.
const DURATIONS: usize = REJECTED + histogram::SHORTEST;
const COUNTERS: usize = DURATIONS + histogram::COUNTERS;

// What nearly every call changes is in the line.
const _: () = assert!(DURATIONS + histogram::SHORTEST <= CELLS);

/// The calls of one function that use the same breaker.
#[repr(C, align(64))]
pub(crate) struct CountedOnce {
    /// Whether a call has failed since the last good one, so that the next good one resets the health of the function.
    resets_health: AtomicBool,
    counts: Sharded<COUNTERS>,
}

/// A call that has begun, with the counters of this thread.
#[derive(Clone, Copy)]
pub(crate) struct CountedCall<'a> {
    all: &'a CountedOnce,
    line: Option<LineCounters<'a>>,
}

impl CountedOnce {
    pub(super) const fn new() -> Self {
        Self { resets_health: AtomicBool::new(true), counts: Sharded::new() }
    }

    /// Counts a call that begins with its first attempt.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(crate) fn begin(&self) -> CountedCall<'_> {
        let call = self.begun();
        if let Some(line) = call.line {
            line.add(STARTED, 1);
        }
        call
    }

    /// Counts a call that the breaker has rejected after `micros` microseconds. Returns `false` if that is too long.
    #[inline]
    pub(crate) fn rejected(&self, micros: u64) -> bool {
        self.counts.line().is_some_and(|line| line.record_shortest(REJECTED, micros))
    }

    /// Returns a call that was counted when it began, possibly in another thread.
    #[inline]
    pub(crate) fn begun(&self) -> CountedCall<'_> {
        CountedCall { all: self, line: self.counts.line() }
    }

    #[cold]
    fn record(&self, micros: u64) {
        self.counts.mine().record(DURATIONS, micros);
    }

    /// Returns the number of calls that the breaker rejected at once, and the sum of their durations in microseconds.
    pub(super) fn rejections(&self) -> (u64, u64) {
        self.counts.shortest(REJECTED)
    }

    /// Returns the counters of the durations, in the order of a histogram.
    pub(super) fn duration_counters(&self) -> impl Iterator<Item = u64> {
        (DURATIONS..COUNTERS).map(|index| self.counts.sum(index))
    }

    /// Returns the first attempts of the last second of each thread, and that second. See [`Budget`].
    pub(super) fn deposits(&self) -> impl Iterator<Item = u64> {
        self.counts.cells(DEPOSITS).map(|cell| cell.load(Ordering::Relaxed))
    }
}

impl CountedCall<'_> {
    /// Counts a first attempt in the current second, which adds to the retry budget. Returns the value that the cell had
    /// before, if it is of an earlier second that still counts.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(crate) fn deposit(self, now: u64) -> Option<u64> {
        let line = self.line?;
        if line.own(DEPOSITS).is_some_and(|seen| Budget::has_room_in(seen, now)) {
            line.add(DEPOSITS, 1);
            return None;
        }
        Self::deposit_first(line, now)
    }

    /// Counts the first attempt of a second, or one on a line that several threads share.
    #[inline(never)]
    fn deposit_first(line: LineCounters<'_>, now: u64) -> Option<u64> {
        let before = line.change(DEPOSITS, |seen| Budget::one_more(seen, now))?;
        Budget::is_to_carry_over(before, now).then_some(before)
    }

    /// Counts the good end of the call after `micros` microseconds. Returns whether it changes the health of the function.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(crate) fn ended(self, micros: u64) -> bool {
        // Calls that are frequent enough for this to matter are usually fast.
        if !self.line.is_some_and(|line| line.record_shortest(DURATIONS, micros)) {
            self.all.record(micros);
        }
        // Pairs with the `Release` in `mark_failed`: the thread that resets the health sees the failure.
        self.all.resets_health.load(Ordering::Relaxed) && self.all.resets_health.swap(false, Ordering::Acquire)
    }
}

/// The good calls that one statistic contains.
#[derive(Default)]
pub(super) struct Contained(Mutex<Vec<Arc<CountedOnce>>>);

impl Contained {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Returns the calls. While the guard is held, none of them are moved to other counters, so that a reader that also
    /// reads those counts each call once.
    pub(super) fn lock(&self) -> ContainedLocked<'_> {
        ContainedLocked(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The good calls of one statistic, locked.
pub(super) struct ContainedLocked<'a>(MutexGuard<'a, Vec<Arc<CountedOnce>>>);

impl ContainedLocked<'_> {
    pub(super) fn add(&mut self, calls: Arc<CountedOnce>) {
        self.0.push(calls);
    }

    /// Returns the calls that the other statistic contains too.
    pub(super) fn shared_with(&self, other: &ContainedLocked<'_>) -> Option<Arc<CountedOnce>> {
        self.0.iter().find(|own| other.0.iter().any(|other| Arc::ptr_eq(own, other))).cloned()
    }

    /// Removes the calls that no function uses any more. Only if there is no room for others, so that the list is seldom
    /// searched, and at most twice as long as it has to be.
    pub(super) fn take_unused(&mut self) -> Vec<Arc<CountedOnce>> {
        if self.0.len() < self.0.capacity() {
            return Vec::new();
        }
        // With `get_mut`, what other threads have counted is visible.
        self.0.extract_if(.., |calls| Arc::get_mut(calls).is_some()).collect()
    }

    /// Lets the next good call reset the health of the function.
    #[cold]
    pub(super) fn mark_failed(&self) {
        self.0.iter().for_each(|calls| calls.resets_health.store(true, Ordering::Release));
    }

    /// Returns the durations of the calls that ended well. Read them before [`started`](Self::started).
    pub(super) fn durations(&self) -> HistogramSnapshot {
        let mut all = HistogramSnapshot::empty();
        self.0.iter().for_each(|calls| all.add(&calls.counts.durations(DURATIONS)));
        all
    }

    /// Returns the number of calls that the breaker rejected at once, and the sum of their durations in microseconds. They
    /// are not among those that started.
    pub(super) fn rejected(&self) -> (u64, u64) {
        let rejections = self.0.iter().map(|calls| calls.rejections());
        rejections.fold((0, 0), |(calls, micros), (more, longer)| (calls + more, micros + longer))
    }

    pub(super) fn started(&self) -> u64 {
        self.0.iter().map(|calls| calls.counts.sum(STARTED)).sum()
    }

    pub(super) fn deposits(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|calls| calls.deposits())
    }
}
