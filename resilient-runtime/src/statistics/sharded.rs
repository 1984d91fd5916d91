//! Counters that many threads can add to without contention.
//!
//! The first threads that count get an exclusive shard each until they end, and add to it with a load and a store,
//! since no other thread writes to it. All other threads share the remaining shards and use atomic additions.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::cache_line::{CELLS, CacheLine};

/// The number of shards that belong to one thread at a time.
const OWN: usize = 28;
/// The number of shards that all other threads share.
const COMMON: usize = 4;
const SHARDS: usize = OWN + COMMON;
/// The number of shards whose lines are stored inline. Programs seldom call from more threads than this.
const NEAR: usize = 6;

/// The counters of one shard that are seldom used.
type Rest = OnceLock<Box<[AtomicU64]>>;

/// `N` counters in several shards. Each thread adds to one shard, and a reader sums all of them. A shard is
/// allocated when a thread first counts something in it. The first [`CELLS`] counters, which most calls change,
/// share a cache line; the others are allocated separately when first used.
#[repr(C)]
pub(crate) struct Sharded<const N: usize> {
    near: [OnceLock<CacheLine>; NEAR],
    far: OnceLock<Box<[OnceLock<CacheLine>; SHARDS - NEAR]>>,
    rest: OnceLock<Box<[Rest; SHARDS]>>,
}

impl<const N: usize> Sharded<N> {
    pub(crate) const fn new() -> Self {
        Self { near: [const { OnceLock::new() }; NEAR], far: OnceLock::new(), rest: OnceLock::new() }
    }

    /// Adds to a counter. Does nothing if the index is out of range.
    #[inline]
    pub(crate) fn add(&self, index: usize, amount: u64) {
        self.mine().add(index, amount);
    }

    /// Returns the first counters of the shard of this thread, for callers that change no others.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(crate) fn line(&self) -> Option<LineCounters<'_>> {
        let mine = Mine::get();
        let line = match self.near.get(mine.shard) {
            Some(line) => line,
            None => self.far(mine.shard)?,
        };
        Some(LineCounters { cells: line.get_or_init(CacheLine::new), is_own: mine.is_own })
    }

    /// Returns the shard of this thread, for callers that add to several counters.
    pub(crate) fn mine(&self) -> Counters<'_, N> {
        let mine = Mine::get();
        let line = match self.near.get(mine.shard) {
            Some(line) => Some(line),
            None => self.far(mine.shard),
        };
        Counters { line: line.map(|line| line.get_or_init(CacheLine::new)), all: self, mine }
    }

    /// Returns the line of a shard that is not stored inline.
    #[cold]
    fn far(&self, shard: usize) -> Option<&OnceLock<CacheLine>> {
        self.far.get_or_init(|| Box::new([const { OnceLock::new() }; SHARDS - NEAR])).get(shard.checked_sub(NEAR)?)
    }

    /// Returns a counter that is not in a line.
    #[inline(never)]
    fn rest(&self, shard: usize, index: usize) -> Option<&AtomicU64> {
        let rest = self.rest.get_or_init(|| Box::new([const { OnceLock::new() }; SHARDS])).get(shard)?;
        rest.get_or_init(|| (CELLS..N).map(|_| AtomicU64::new(0)).collect()).get(index.checked_sub(CELLS)?)
    }

    /// Returns the sum over all shards. A reader that sees an addition also sees all earlier additions by the same
    /// thread.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        self.cells(index).fold(0, |sum, cell| sum.wrapping_add(cell.load(Ordering::Acquire)))
    }

    /// Returns this counter in each allocated shard.
    pub(crate) fn cells(&self, index: usize) -> impl Iterator<Item = &AtomicU64> {
        let far = self.far.get().into_iter().flat_map(|far| far.iter());
        let lines = self.near.iter().chain(far).filter_map(move |line| line.get()?.get(index));
        let rest = self.rest.get().into_iter().flat_map(|rest| rest.iter());
        lines.chain(rest.filter_map(move |rest| rest.get()?.get(index.checked_sub(CELLS)?)))
    }
}

/// The first counters of one shard.
#[derive(Clone, Copy)]
pub(crate) struct LineCounters<'a> {
    cells: &'a [AtomicU64; CELLS],
    is_own: bool,
}

impl LineCounters<'_> {
    /// Returns a counter that no other thread changes.
    #[inline]
    pub(crate) fn own(self, index: usize) -> Option<u64> {
        if self.is_own { Some(self.cells.get(index)?.load(Ordering::Relaxed)) } else { None }
    }

    /// Adds to a counter. Does nothing if it is not one of the first.
    #[inline]
    pub(crate) fn add(self, index: usize, amount: u64) {
        let Some(cell) = self.cells.get(index) else { return };
        if self.is_own {
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Release);
        } else {
            cell.fetch_add(amount, Ordering::Release);
        }
    }

    /// Changes a counter and returns its previous value; `next` returns `None` to leave it unchanged.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(crate) fn change(self, index: usize, mut next: impl FnMut(u64) -> Option<u64>) -> Option<u64> {
        let cell = self.cells.get(index)?;
        if !self.is_own {
            return cell.fetch_update(Ordering::Release, Ordering::Relaxed, next).ok();
        }
        let before = cell.load(Ordering::Relaxed);
        cell.store(next(before)?, Ordering::Release);
        Some(before)
    }
}

/// The counters of one shard.
#[derive(Clone, Copy)]
pub(crate) struct Counters<'a, const N: usize> {
    line: Option<&'a CacheLine>,
    all: &'a Sharded<N>,
    mine: Mine,
}

impl<'a, const N: usize> Counters<'a, N> {
    pub(crate) fn add(self, index: usize, amount: u64) {
        let Some(cell) = self.cell(index) else { return };
        if self.mine.is_own {
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Release);
        } else {
            cell.fetch_add(amount, Ordering::Release);
        }
    }

    /// Changes a counter and returns its previous value; `next` returns `None` to leave it unchanged.
    pub(crate) fn change(self, index: usize, mut next: impl FnMut(u64) -> Option<u64>) -> Option<u64> {
        let cell = self.cell(index)?;
        if !self.mine.is_own {
            return cell.fetch_update(Ordering::Release, Ordering::Relaxed, next).ok();
        }
        let before = cell.load(Ordering::Relaxed);
        cell.store(next(before)?, Ordering::Release);
        Some(before)
    }

    fn cell(self, index: usize) -> Option<&'a AtomicU64> {
        if index < CELLS.min(N) { self.line?.get(index) } else { self.all.rest(self.mine.shard, index) }
    }
}

/// The shard that this thread adds to.
#[derive(Debug, Clone, Copy)]
struct Mine {
    shard: usize,
    is_own: bool,
}

impl Mine {
    fn get() -> Self {
        thread_local! {
            static MINE: Lease = const { Lease(Cell::new(None)) };
        }
        // While a thread is torn down, it has no exclusive shard any more.
        MINE.try_with(Lease::get).unwrap_or(Self { shard: OWN, is_own: false })
    }
}

/// The shard assigned to a thread, returned when the thread ends.
struct Lease(Cell<Option<Mine>>);

/// A bit for each exclusive shard that is in use.
static TAKEN: AtomicU64 = AtomicU64::new(0);

impl Lease {
    fn get(&self) -> Mine {
        self.0.get().unwrap_or_else(|| {
            let mine = take();
            self.0.set(Some(mine));
            mine
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(Mine { shard, is_own: true }) = self.0.get() {
            // Pairs with the `Acquire` in `take`: the next owner sees all that was added.
            TAKEN.fetch_and(!(1 << shard), Ordering::Release);
        }
    }
}

#[cold]
fn take() -> Mine {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let free = |taken: u64| (0..OWN).find(|shard| taken & 1 << shard == 0);
    let taken = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| Some(taken | 1 << free(taken)?));
    match taken.ok().and_then(free) {
        Some(shard) => Mine { shard, is_own: true },
        None => Mine { shard: OWN + NEXT.fetch_add(1, Ordering::Relaxed) % COMMON, is_own: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_add_is_summed() {
        let counters = Sharded::<2>::new();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| (0..1_000).for_each(|_| counters.add(1, 1)));
            }
        });
        assert_eq!((counters.sum(0), counters.sum(1)), (0, 16_000));
    }

    #[test]
    fn nothing_is_lost_where_threads_come_and_go() {
        let counters = Sharded::<1>::new();
        for _ in 0..50 {
            std::thread::scope(|scope| {
                // More threads than there are exclusive shards.
                for _ in 0..2 * OWN {
                    scope.spawn(|| (0..50).for_each(|_| counters.add(0, 1)));
                }
            });
        }
        assert_eq!(counters.sum(0), 50 * 2 * OWN as u64 * 50);
    }

    #[test]
    fn two_threads_never_have_the_same_shard_to_themselves() {
        let barrier = std::sync::Barrier::new(2 * OWN);
        let own: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2 * OWN)
                .map(|_| {
                    scope.spawn(|| {
                        let mine = Mine::get();
                        barrier.wait();
                        mine
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|mine| mine.is_own).collect()
        });
        let shards: std::collections::BTreeSet<_> = own.iter().map(|mine| mine.shard).collect();
        assert_eq!((shards.len(), own.len() <= OWN), (own.len(), true));
    }

    #[test]
    fn counters_beyond_the_line_lose_nothing_where_threads_come_and_go() {
        let counters = Sharded::<{ CELLS + 5 }>::new();
        for _ in 0..20 {
            std::thread::scope(|scope| {
                for _ in 0..2 * OWN {
                    scope.spawn(|| {
                        (0..50).for_each(|_| {
                            counters.add(CELLS - 1, 1);
                            counters.add(CELLS, 1);
                            counters.add(CELLS + 4, 1);
                            counters.add(CELLS + 5, 1);
                        });
                    });
                }
            });
        }
        let each = 20 * 2 * OWN as u64 * 50;
        let read = [CELLS - 2, CELLS - 1, CELLS, CELLS + 1, CELLS + 4, CELLS + 5].map(|index| counters.sum(index));
        assert_eq!(read, [0, each, each, 0, each, 0]);
    }

    #[test]
    fn what_is_made_of_lines_that_were_given_back_begins_at_nothing() {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let counters = std::sync::Arc::new(Sharded::<{ CELLS + 5 }>::new());
                        let others = std::sync::Arc::clone(&counters);
                        let other = std::thread::spawn(move || (0..CELLS + 5).for_each(|index| others.add(index, 3)));
                        (0..CELLS + 5).for_each(|index| counters.add(index, 4));
                        other.join().expect("counts");
                        assert!((0..CELLS + 5).all(|index| counters.sum(index) == 7));
                    }
                });
            }
        });
    }

    /// Reads while other threads write: an end is never visible without its beginning.
    #[test]
    fn a_reader_that_sees_an_end_sees_its_beginning() {
        let counters = Sharded::<{ CELLS + 5 }>::new();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        counters.add(0, 1);
                        counters.add(CELLS + 1, 1);
                        counters.add(1, 1);
                    }
                });
            }
            for _ in 0..200_000 {
                let (ended, between, started) = (counters.sum(1), counters.sum(CELLS + 1), counters.sum(0));
                assert!(ended <= between && between <= started, "{ended} {between} {started}");
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
