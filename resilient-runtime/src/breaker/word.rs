//! The first word of the state machine.
//!
//! ```text
//! 63..62 state │ 61..20 generation │ 19..10 probes running │ 9..0 failures in a row, or successes
//! ```
//!
//! The highest count is reserved: a closed breaker with this count is armed, because the breaker of another replica has
//! opened. Its next failure opens it, and a success resets the count, as if it had one failure left.

use super::state::State;
use super::ticket::{GENERATION_BITS, GENERATION_MASK};

const COUNT_BITS: u32 = 10;
const GENERATION_SHIFT: u32 = 2 * COUNT_BITS;
const STATE_SHIFT: u32 = GENERATION_SHIFT + GENERATION_BITS;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
/// The count of an armed breaker. Others are lower, because no limit is above this one.
pub(super) const ARMED: u32 = (1 << COUNT_BITS) - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) state: State,
    pub(super) generation: u64,
    pub(super) probes: u32,
    pub(super) count: u32,
}

impl Word {
    pub(super) fn unpack(bits: u64) -> Self {
        let small = |shift: u32| u32::try_from(bits >> shift & COUNT_MASK).unwrap_or(0);
        Self {
            state: match bits >> STATE_SHIFT {
                0 => State::Closed,
                1 => State::HalfOpen,
                2 => State::Open,
                _ => State::Isolated,
            },
            generation: bits >> GENERATION_SHIFT & GENERATION_MASK,
            probes: small(COUNT_BITS),
            count: small(0),
        }
    }

    /// Returns whether the packed word is that of a closed breaker that has counted no failures.
    #[inline]
    pub(super) const fn is_clean(bits: u64) -> bool {
        bits & !(GENERATION_MASK << GENERATION_SHIFT) == 0
    }

    pub(super) fn pack(self) -> u64 {
        let state = match self.state {
            State::Closed => 0_u64,
            State::HalfOpen => 1,
            State::Open => 2,
            State::Isolated => 3,
        };
        state << STATE_SHIFT
            | (self.generation & GENERATION_MASK) << GENERATION_SHIFT
            | (u64::from(self.probes) & COUNT_MASK) << COUNT_BITS
            | u64::from(self.count) & COUNT_MASK
    }

    /// Returns the first word of the next generation.
    pub(super) fn next(self, state: State) -> Self {
        Self { state, generation: (self.generation + 1) & GENERATION_MASK, probes: 0, count: 0 }
    }

    pub(super) fn is_armed(self) -> bool {
        self.state == State::Closed && self.count == ARMED
    }
}
