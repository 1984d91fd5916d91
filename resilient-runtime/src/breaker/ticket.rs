//! The ticket of an admitted call.

use std::num::NonZeroU64;

/// The bits of a generation, in a ticket and in the word of a breaker.
pub(crate) const GENERATION_BITS: u32 = 42;
pub(crate) const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;

/// A ticket for one execution, valid in one generation.
///
/// It is one number, because every call writes it and reads it soon afterwards: the processor stalls if parts are
/// written one by one and read together.
///
/// 63 set │ 62 probe │ 61 lent │ 41..0 generation
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(NonZeroU64);

impl Ticket {
    const SET: NonZeroU64 = NonZeroU64::new(1 << 63).unwrap();
    const PROBE: u64 = 1 << 62;
    const LENT: u64 = 1 << 61;

    pub(crate) fn new(generation: u64, probe: bool) -> Self {
        Self::of(generation, if probe { Self::PROBE } else { 0 })
    }

    /// Returns the ticket for a call inside an attempt that holds this ticket of a probe.
    pub(crate) fn lent(self) -> Self {
        Self::of(self.generation(), Self::PROBE | Self::LENT)
    }

    fn of(generation: u64, flags: u64) -> Self {
        Self(Self::SET | flags | (generation & GENERATION_MASK))
    }

    pub(crate) const fn generation(self) -> u64 {
        self.0.get() & GENERATION_MASK
    }

    pub(crate) const fn is_probe(self) -> bool {
        self.0.get() & Self::PROBE != 0
    }

    /// Returns whether an attempt has lent this ticket of a probe to a call inside it. The result of that call counts;
    /// the probe itself ends with the attempt.
    pub(crate) const fn is_lent(self) -> bool {
        self.0.get() & Self::LENT != 0
    }
}
