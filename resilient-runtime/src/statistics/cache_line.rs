//! Cache lines of counters, allocated next to each other.
//!
//! A call changes one or two cache lines of its tool. With thousands of tools, those lines have to be close together:
//! if each were allocated separately, every call would also miss the TLB.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The number of counters in a line.
pub(super) const CELLS: usize = 8;

#[repr(align(64))]
struct Cells([AtomicU64; CELLS]);

/// The number of lines allocated at a time: 64 lines of 64 bytes fill a page.
const TOGETHER: usize = 64;

/// Unused lines. Lines are never freed but reused, so at most one page more is allocated than was ever in use at
/// one time.
static FREE: Mutex<Vec<&'static Cells>> = Mutex::new(Vec::new());

/// A zeroed line with exclusive ownership. Dropping it returns it to the pool.
pub(super) struct CacheLine(&'static Cells);

impl CacheLine {
    #[cold]
    pub(super) fn new() -> Self {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        Self(free.pop().unwrap_or_else(|| {
            let [first, others @ ..] = Box::leak(Box::new([const { Cells::new() }; TOGETHER]));
            // Reversed, so that lines taken one after another are adjacent in memory.
            free.extend(others.iter().rev());
            first
        }))
    }
}

impl Deref for CacheLine {
    type Target = [AtomicU64; CELLS];

    fn deref(&self) -> &Self::Target {
        &self.0.0
    }
}

impl Drop for CacheLine {
    fn drop(&mut self) {
        self.iter().for_each(|cell| cell.store(0, Ordering::Relaxed));
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
    }
}

impl Cells {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; CELLS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_one_owner_and_starts_at_zero() {
        let address = |line: &CacheLine| std::ptr::from_ref::<[AtomicU64; CELLS]>(line) as usize;
        for _ in 0..3 {
            let lines: Vec<_> = (0..3 * TOGETHER).map(|_| CacheLine::new()).collect();
            let places: std::collections::BTreeSet<_> = lines.iter().map(address).collect();
            assert_eq!((places.len(), places.iter().filter(|place| *place % 64 != 0).count()), (lines.len(), 0));
            for line in &lines {
                assert!(line.iter().all(|cell| cell.swap(7, Ordering::Relaxed) == 0));
            }
        }
    }
}
