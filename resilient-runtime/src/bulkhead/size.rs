//! The number of permits of a bulkhead, which may change while calls hold them.
//!
//! One word holds two numbers: the maximum, and the permits that exist above it. The latter are *withheld*: a call that
//! ends gives its permit up instead of returning it. The permits that are free or held are always as many as both numbers
//! together, so no permit is lost or invented, however a change meets the ends of calls.

use std::sync::atomic::{AtomicU64, Ordering};

const BITS: u32 = 32;

pub(super) struct Size(AtomicU64);

#[derive(Clone, Copy)]
struct Word {
    max: u32,
    withheld: u32,
}

impl Word {
    const fn pack(self) -> u64 {
        (self.withheld as u64) << BITS | self.max as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "each half of the word is 32 bits")]
    const fn unpack(word: u64) -> Self {
        Self { max: word as u32, withheld: (word >> BITS) as u32 }
    }
}

impl Size {
    pub(super) const fn new(max: u32) -> Self {
        Self(AtomicU64::new(Word { max, withheld: 0 }.pack()))
    }

    /// Returns the number of permits that are free or held.
    pub(super) fn permits(&self) -> usize {
        let Word { max, withheld } = Word::unpack(self.0.load(Ordering::Relaxed));
        (max as usize).saturating_add(withheld as usize)
    }

    /// Changes the maximum. Returns how many permits there are too few.
    #[cfg(feature = "config")]
    pub(super) fn set(&self, max: u32) -> usize {
        let change = |Word { max: before, withheld }: Word| match max.checked_sub(before) {
            Some(more) => (Word { max, withheld: withheld.saturating_sub(more) }, more.saturating_sub(withheld)),
            None => (Word { max, withheld: withheld.saturating_add(before - max) }, 0),
        };
        self.update(|word| Some(change(word))).unwrap_or(0) as usize
    }

    /// Gives up to `free` permits up, of those that are withheld. Returns how many are not.
    #[cfg(feature = "config")]
    pub(super) fn give_up(&self, free: usize) -> usize {
        let given_up = self.update(|word| {
            let given_up = word.withheld.min(u32::try_from(free).unwrap_or(u32::MAX));
            Some((Word { withheld: word.withheld - given_up, ..word }, given_up))
        });
        free.saturating_sub(given_up.unwrap_or(0) as usize)
    }

    /// Returns the number of withheld permits.
    #[cfg(feature = "config")]
    pub(super) fn withheld(&self) -> usize {
        Word::unpack(self.0.load(Ordering::Relaxed)).withheld as usize
    }

    /// Gives the permit of a call that ends up, if one is withheld.
    #[inline]
    pub(super) fn withholds_one(&self) -> bool {
        Word::unpack(self.0.load(Ordering::Relaxed)).withheld > 0 && self.withhold_one()
    }

    #[cold]
    fn withhold_one(&self) -> bool {
        self.update(|word| Some((Word { withheld: word.withheld.checked_sub(1)?, ..word }, ()))).is_some()
    }

    fn update<T>(&self, change: impl Fn(Word) -> Option<(Word, T)>) -> Option<T> {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let (next, result) = change(Word::unpack(seen))?;
            match self.0.compare_exchange_weak(seen, next.pack(), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(result),
                Err(now) => seen = now,
            }
        }
    }
}
