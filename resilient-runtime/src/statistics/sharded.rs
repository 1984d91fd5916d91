//! Counters that many threads can add to without waiting for each other.
//!
//! The first threads that count have a shard each, for as long as they live, and add to it by a load and a
//! store: nobody else writes there. The others share what shards are left, and add by an atomic addition.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Shards that belong to one thread at a time.
const OWN: usize = 28;
/// Shards that everybody else has in common.
const COMMON: usize = 4;
const SHARDS: usize = OWN + COMMON;

/// A cache line of its own, so that two shards never share one.
#[repr(align(64))]
struct Shard<const N: usize>([AtomicU64; N]);

/// `N` counters in several shards; each thread adds to one shard, a reader sums them all. A shard is there
/// once a thread has counted something in it.
pub(crate) struct Sharded<const N: usize>([OnceLock<Box<Shard<N>>>; SHARDS]);

impl<const N: usize> Sharded<N> {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; SHARDS])
    }

    /// Adds to one counter. An index out of range counts nothing.
    pub(crate) fn add(&self, index: usize, amount: u64) {
        self.mine().add(index, amount);
    }

    /// What this thread adds to, for whoever adds to several counters.
    pub(crate) fn mine(&self) -> Counters<'_> {
        let mine = Mine::get();
        let shard = self.0.get(mine.shard);
        Counters {
            cells: shard.map_or(&[], |shard| &shard.get_or_init(|| Box::new(Shard::new())).0),
            is_own: mine.is_own,
        }
    }

    /// The sum over all shards: what had been added when each shard was read. Who sees an addition sees all
    /// that the same thread added before.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        self.cells(index).fold(0, |sum, cell| sum.wrapping_add(cell.load(Ordering::Acquire)))
    }

    /// One counter in each shard that is there.
    pub(crate) fn cells(&self, index: usize) -> impl Iterator<Item = &AtomicU64> {
        self.0.iter().filter_map(move |shard| shard.get()?.0.get(index))
    }
}

impl<const N: usize> Shard<N> {
    #[cold]
    fn new() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

/// The counters of one shard.
#[derive(Clone, Copy)]
pub(crate) struct Counters<'a> {
    cells: &'a [AtomicU64],
    is_own: bool,
}

impl Counters<'_> {
    pub(crate) fn add(self, index: usize, amount: u64) {
        let Some(cell) = self.cells.get(index) else { return };
        if self.is_own {
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Release);
        } else {
            cell.fetch_add(amount, Ordering::Release);
        }
    }

    /// Changes a counter; `None` leaves it as it is.
    pub(crate) fn change(self, index: usize, mut next: impl FnMut(u64) -> Option<u64>) {
        let Some(cell) = self.cells.get(index) else { return };
        if !self.is_own {
            let _ = cell.fetch_update(Ordering::Release, Ordering::Relaxed, next);
        } else if let Some(next) = next(cell.load(Ordering::Relaxed)) {
            cell.store(next, Ordering::Release);
        }
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
        // While the thread is being torn down it has nothing of its own any more.
        MINE.try_with(Lease::get).unwrap_or(Self { shard: OWN, is_own: false })
    }
}

/// What a thread has been given, and gives back when it ends.
struct Lease(Cell<Option<Mine>>);

/// Which of the own shards are taken, a bit each.
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
            // Whoever has it next sees all that was added.
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
                // More than have a shard of their own.
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
}
