//! The second word of the state machine: a moment, in milliseconds, and the lowest bits of the generation that it
//! belongs to.
//!
//! It is never ahead of the first word, and only moves forward, to a newer generation or a later moment, so a thread
//! that was suspended between the two words cannot set it back.

use super::sync::{AtomicU64, Ordering};

const TIME_BITS: u32 = 44;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const TAG_MASK: u64 = (1 << (64 - TIME_BITS)) - 1;

/// Returns the moment, if the timer has that of `generation`.
pub(crate) fn moment(timer: &AtomicU64, generation: u64) -> Option<u64> {
    let seen = timer.load(Ordering::Acquire);
    (seen >> TIME_BITS == generation & TAG_MASK).then_some(seen & TIME_MASK)
}

/// Moves the timer forward to `moment_ms` of `generation`, unless it is already later.
pub(crate) fn raise(timer: &AtomicU64, generation: u64, moment_ms: u64) {
    let tag = generation & TAG_MASK;
    let wanted = tag << TIME_BITS | moment_ms.min(TIME_MASK);
    let mut seen = timer.load(Ordering::Acquire);
    loop {
        // The number of generations by which the timer is ahead, modulo 2²⁰.
        let ahead = (seen >> TIME_BITS).wrapping_sub(tag) & TAG_MASK;
        let is_newer = ahead != 0 && ahead < TAG_MASK / 2;
        if is_newer || (ahead == 0 && seen >= wanted) {
            return;
        }
        match timer.compare_exchange_weak(seen, wanted, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}
