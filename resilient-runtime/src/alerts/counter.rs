//! Counters over time: what was added to them at each evaluation, for as long as the longest window of a rule.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A group of counters that are read together, and what was added to them at each evaluation.
///
/// Only evaluations at which something was added take memory. A counter that goes back has begun again: what it shows
/// then is not a difference, and counts from the next evaluation on.
#[derive(Debug)]
pub(super) struct Counter<const N: usize> {
    last: [u64; N],
    /// Oldest first.
    added: VecDeque<(Instant, [u32; N])>,
}

impl<const N: usize> Counter<N> {
    /// Begins at these totals.
    pub(super) const fn from(last: [u64; N]) -> Self {
        Self { last, added: VecDeque::new() }
    }

    /// Forgets what is older than `longest`. Returns whether something is left.
    pub(super) fn forget(&mut self, now: Instant, longest: Duration) -> bool {
        while self.added.front().is_some_and(|(at, _)| !is_within(*at, now, longest)) {
            self.added.pop_front();
        }
        if self.added.is_empty() {
            self.added = VecDeque::new();
        }
        !self.added.is_empty()
    }

    /// Records the totals at an evaluation like [`record`](Self::record), but if nothing is kept yet and there is no
    /// `room`, without what was added. Returns whether there was something to add and no room.
    pub(super) fn record_if(&mut self, room: &mut usize, now: Instant, totals: [u64; N], longest: Duration) -> bool {
        if !self.added.is_empty() {
            self.record(now, totals, longest);
            return false;
        }
        if *room == 0 {
            let is_left_out = self.last.iter().zip(totals).any(|(last, total)| total > *last);
            self.last = totals;
            return is_left_out;
        }
        self.record(now, totals, longest);
        *room -= usize::from(!self.added.is_empty());
        false
    }

    /// Records the totals at an evaluation, and forgets what is older than `longest`.
    pub(super) fn record(&mut self, now: Instant, totals: [u64; N], longest: Duration) {
        let mut added = [0; N];
        for ((added, total), last) in added.iter_mut().zip(totals).zip(self.last) {
            *added = u32::try_from(total.saturating_sub(last)).unwrap_or(u32::MAX);
        }
        self.last = totals;
        self.forget(now, longest);
        if added.iter().any(|count| *count > 0) {
            self.added.push_back((now, added));
        }
    }

    /// Returns the number of evaluations that take memory.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.added.len()
    }

    /// Returns what was added within a window that ends now.
    pub(super) fn within(&self, now: Instant, window: Duration) -> [u64; N] {
        let mut sums = [0; N];
        for (_, added) in self.added.iter().rev().take_while(|(at, _)| is_within(*at, now, window)) {
            for (sum, added) in sums.iter_mut().zip(added) {
                *sum += u64::from(*added);
            }
        }
        sums
    }
}

/// Returns whether an evaluation is within a window that ends now. What it has added came before it, so the one at the
/// beginning of the window is not.
pub(super) fn is_within(at: Instant, now: Instant, window: Duration) -> bool {
    now.saturating_duration_since(at) < window
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(15);

    #[test]
    fn a_window_has_what_was_added_in_it_and_what_is_too_old_is_forgotten() {
        let start = Instant::now();
        let hour = Duration::from_secs(3_600);
        let mut counter = Counter::from([100]);
        for n in 1..=1_000_u32 {
            counter.record(start + STEP * n, [100 + u64::from(n)], hour);
        }
        let now = start + STEP * 1_000;
        assert_eq!(counter.within(now, Duration::from_secs(300)), [20]);
        assert_eq!((counter.within(now, hour), counter.added.len()), ([240], 240));
        assert_eq!(counter.within(now + hour, hour), [0]);
    }

    #[test]
    fn a_counter_that_goes_back_adds_nothing_and_goes_on_from_there() {
        let start = Instant::now();
        let mut counter = Counter::from([50, 0]);
        for (n, totals) in [(1, [60, 1]), (2, [3, 2]), (3, [5, 2]), (4, [5, 2])] {
            counter.record(start + STEP * n, totals, STEP * 100);
        }
        assert_eq!(counter.within(start + STEP * 4, STEP * 100), [12, 2]);
        assert_eq!(counter.added.len(), 3);
    }

    #[test]
    fn a_sum_does_not_overflow() {
        let start = Instant::now();
        let mut counter = Counter::from([0]);
        counter.record(start, [u64::MAX], STEP);
        assert_eq!(counter.within(start, STEP), [u64::from(u32::MAX)]);
    }
}
