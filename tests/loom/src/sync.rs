//! What the state machine runs on here: loom's atomics, made to try more.
//!
//! Loom leaves out orders that it takes for equal, and with several readers it takes too many for
//! equal. Here each step first takes its turn at one atomic that all share; that makes every two
//! steps differ, so that every order is tried. It is relaxed and tells nobody anything.
//!
//! And loom's weak exchange never fails without a reason, which a real one may.

use std::cell::Cell;

pub(crate) use loom::sync::atomic::Ordering;

loom::lazy_static! {
    static ref TURN: loom::sync::atomic::AtomicU64 = loom::sync::atomic::AtomicU64::new(0);
}

thread_local! {
    /// How many weak exchanges there still are before one that fails. Loom runs all its threads on
    /// one real thread.
    static BEFORE_FAILURE: Cell<Option<u32>> = const { Cell::new(None) };
}

/// From now on, the weak exchange after that many others fails without a reason; none if `None`.
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
