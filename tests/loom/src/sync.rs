//! The atomics of the state machine: loom's, changed to explore more executions.
//!
//! Loom skips orders that it considers equivalent, and with several readers it skips too many. Here, each step first
//! changes one shared atomic, so that no two steps are independent and every order is tried. The change is relaxed, so
//! that it does not synchronize anything.
//!
//! In addition, loom's weak exchange never fails spuriously, but a real one may.

use std::cell::Cell;

pub(crate) use loom::sync::atomic::Ordering;

loom::lazy_static! {
    static ref TURN: loom::sync::atomic::AtomicU64 = loom::sync::atomic::AtomicU64::new(0);
}

thread_local! {
    /// The number of weak exchanges before one that fails. Loom runs all its threads on one real thread.
    static BEFORE_FAILURE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Makes a weak exchange fail spuriously after that many others; none if `None`.
pub(crate) fn fail_after(exchanges: Option<u32>) {
    BEFORE_FAILURE.set(exchanges);
}

pub(crate) struct AtomicU64(loom::sync::atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        Self(loom::sync::atomic::AtomicU64::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> u64 {
        take_turn();
        self.0.load(order)
    }

    pub(crate) fn compare_exchange_weak(
        &self,
        seen: u64,
        wanted: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        take_turn();
        match BEFORE_FAILURE.get() {
            Some(0) => {
                BEFORE_FAILURE.set(None);
                return Err(self.0.load(failure));
            }
            left => BEFORE_FAILURE.set(left.map(|left| left - 1)),
        }
        self.0.compare_exchange(seen, wanted, success, failure)
    }
}

fn take_turn() {
    TURN.fetch_add(1, Ordering::Relaxed);
}
