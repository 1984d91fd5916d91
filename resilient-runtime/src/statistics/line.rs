//! Cache lines for counters, side by side.
//!
//! What a call changes of a tool is a line or two. Where there are thousands of tools, those lines have to
//! lie close together: each in a block of its own, every call would wait for the page as well.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// So many counters fit.
pub(super) const CELLS: usize = 8;

#[repr(align(64))]
struct Cells([AtomicU64; CELLS]);

/// As many as are as large as a page.
const TOGETHER: usize = 64;

/// Lines that nobody has. What was ever made is used again: there are never more of them, but for those of
/// one page, than were in use at one time.
static FREE: Mutex<Vec<&'static Cells>> = Mutex::new(Vec::new());

/// A line of one's own, given back when it is dropped. At first all of it is zero.
pub(super) struct Line(&'static Cells);

impl Line {
    #[cold]
    pub(super) fn new() -> Self {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        Self(free.pop().unwrap_or_else(|| {
            let [first, others @ ..] = Box::leak(Box::new([const { Cells::new() }; TOGETHER]));
            // In their order from now on, so that what is made together lies together.
            free.extend(others.iter().rev());
            first
        }))
    }
}

impl Deref for Line {
    type Target = [AtomicU64; CELLS];

    fn deref(&self) -> &Self::Target {
        &self.0.0
    }
}

impl Drop for Line {
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
    fn whoever_gets_a_line_has_it_alone_and_finds_it_empty() {
        let address = |line: &Line| std::ptr::from_ref::<[AtomicU64; CELLS]>(line) as usize;
        for _ in 0..3 {
            let lines: Vec<_> = (0..3 * TOGETHER).map(|_| Line::new()).collect();
            let places: std::collections::BTreeSet<_> = lines.iter().map(address).collect();
            assert_eq!((places.len(), places.iter().filter(|place| *place % 64 != 0).count()), (lines.len(), 0));
            for line in &lines {
                assert!(line.iter().all(|cell| cell.swap(7, Ordering::Relaxed) == 0));
            }
        }
    }
}
