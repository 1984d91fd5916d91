//! Counters that many threads can add to without waiting for each other.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(crate) const SHARDS: usize = 8;

/// A cache line of its own, so that two shards never share one.
#[repr(align(64))]
struct Shard<const N: usize>([AtomicU64; N]);

/// `N` counters in eight shards; each thread adds to one shard, a reader sums them all.
pub(crate) struct Sharded<const N: usize>([Shard<N>; SHARDS]);

impl<const N: usize> Sharded<N> {
    pub(crate) const fn new() -> Self {
        Self([const { Shard([const { AtomicU64::new(0) }; N]) }; SHARDS])
    }

    /// Adds to one counter. An index out of range counts nothing.
    pub(crate) fn add(&self, index: usize, amount: u64) {
        if let Some(cell) = self.0.get(shard()).and_then(|shard| shard.0.get(index)) {
            cell.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// The sum over all shards: what had been added when each shard was read.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        self.0
            .iter()
            .filter_map(|shard| shard.0.get(index))
            .map(|cell| cell.load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

/// This thread's shard: threads are dealt out in turn when they first count something.
pub(crate) fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    MINE.try_with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        mine.get()
    })
    // While the thread is being torn down: any shard will do.
    .unwrap_or(0)
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
}
