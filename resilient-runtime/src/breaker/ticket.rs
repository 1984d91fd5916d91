//! The right to run once.

use std::num::NonZeroU64;

/// The bits of a generation, in a ticket and in the word of a breaker.
pub(crate) const GENERATION_BITS: u32 = 42;
pub(crate) const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;

/// The right to run once, valid in one generation.
///
/// One number, as every call writes it and soon reads it again: parts that are written one by one and read together
/// make the processor wait.
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

    /// The ticket for a call inside an attempt that holds this one of a probe.
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

    /// Whether it is a probe's ticket that an attempt has lent to a call inside it. Its result counts; the
    /// probe's place stays taken until the attempt itself gives it back.
    pub(crate) const fn is_lent(self) -> bool {
        self.0.get() & Self::LENT != 0
    }
}
