//! The retry budget: a dependency that is down must not get much more load than a healthy one.
//!
//! If every call fails, three retries per call quadruple the load, just when the dependency can bear it least. Two such
//! layers in a row make it sixteen times the load. A budget bounds that: within ten seconds, the number of retries is
//! limited to a share of the first attempts, 20 % by default, plus one per second, so that a function that is called
//! rarely can be retried at all. The numbers are those of the budgets of Finagle and tower, with a smaller reserve.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

/// The length of the window in seconds, and the number of retries that are always available in it.
const SECONDS: u64 = 10;
const SLOTS: usize = 10;
const RESERVE: f64 = 10.0;

const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// First attempts and retries of the last seconds. The first attempts of the current second are in per-thread cells,
/// each with a second and a count.
pub(crate) struct Budget(Mutex<Book>);

/// Written rarely: at a retry, and at the first attempt of a second. A lock keeps it exact.
struct Book {
    calls: Tally,
    retries: Tally,
}

impl Budget {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Book { calls: Tally::new(), retries: Tally::new() }))
    }

    /// Returns whether a cell has counted first attempts in this second, and can count another one.
    #[inline]
    pub(crate) fn has_room_in(seen: u64, now: u64) -> bool {
        seen >> COUNT_BITS == second(now) && seen & COUNT_MASK != COUNT_MASK
    }

    /// Returns the new value of a cell after a first attempt in this second, or `None` to leave it unchanged.
    pub(crate) fn one_more(seen: u64, now: u64) -> Option<u64> {
        let second = second(now);
        match (seen >> COUNT_BITS).cmp(&second) {
            // A newer second was written by another thread that read the clock later.
            Ordering::Greater if (seen >> COUNT_BITS) < second + SECONDS => None,
            Ordering::Equal if seen & COUNT_MASK == COUNT_MASK => None,
            Ordering::Equal => Some(seen + 1),
            // A far newer second comes from a clock that ran ahead, as in tests.
            Ordering::Less | Ordering::Greater => Some(second << COUNT_BITS | 1),
        }
    }

    /// Keeps the value that a cell had before the first attempt of this second, unless it is too old to count.
    pub(crate) fn carry_over(&self, before: u64, now: u64) {
        if Self::is_to_carry_over(before, now) {
            self.add_to_book(before);
        }
    }

    /// Keeps the value of a cell that is not used any more, unless it is too old to count.
    pub(crate) fn keep(&self, cell: u64, now: u64) {
        let (then, second) = (cell >> COUNT_BITS, second(now));
        if then <= second && then + SECONDS > second && cell != 0 {
            self.add_to_book(cell);
        }
    }

    /// Returns whether a cell had the count of an earlier second that is not too old.
    #[inline]
    pub(crate) fn is_to_carry_over(before: u64, now: u64) -> bool {
        let (then, second) = (before >> COUNT_BITS, second(now));
        then < second && then + SECONDS > second && before != 0
    }

    #[cold]
    fn add_to_book(&self, before: u64) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.calls.add(before >> COUNT_BITS, before & COUNT_MASK);
    }

    /// Takes one retry from the budget in this second. Returns `false` if none is left. A first attempt that is just
    /// being moved from its cell to the book does not count during that moment.
    pub(crate) fn withdraw(&self, now: u64, share: f64, running: impl Iterator<Item = u64>) -> bool {
        let second = second(now);
        let has_come = |then: u64| then + SECONDS > second && then <= second;
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running = running.filter(|cell| has_come(cell >> COUNT_BITS)).map(|cell| cell & COUNT_MASK);
        let calls = running.sum::<u64>() + book.calls.sum(has_come);
        // A retry counts even if it was recorded with a slightly later clock reading.
        let spent = book.retries.sum(|then| then.abs_diff(second) < SECONDS);
        #[expect(clippy::cast_precision_loss, reason = "there are never 2⁵³ calls in ten seconds")]
        let left = (calls as f64).mul_add(share, RESERVE) - spent as f64;
        let is_granted = left >= 1.0;
        if is_granted {
            book.retries.add(second, 1);
        }
        is_granted
    }
}

/// Counts for each of the last seconds.
struct Tally([(u64, u64); SLOTS]);

impl Tally {
    const fn new() -> Self {
        Self([(0, 0); SLOTS])
    }

    fn add(&mut self, second: u64, more: u64) {
        let slot = usize::try_from(second % SECONDS).unwrap_or(0);
        if let Some((then, count)) = self.0.get_mut(slot) {
            if *then != second {
                (*then, *count) = (second, 0);
            }
            *count = count.saturating_add(more);
        }
    }

    fn sum(&self, counts: impl Fn(u64) -> bool) -> u64 {
        self.0.iter().filter(|(then, _)| counts(*then)).map(|(_, count)| *count).sum()
    }
}

/// Returns the second, starting at 1, so that an empty cell never looks recent.
fn second(now: u64) -> u64 {
    now.wrapping_add(1) & (u64::MAX >> COUNT_BITS)
}

#[cfg(test)]
mod tests {
    use crate::statistics::AttemptStatistics;

    #[test]
    fn a_share_of_the_calls_and_one_a_second_can_be_retried() {
        let budget = AttemptStatistics::new();
        for _ in 0..100 {
            budget.deposit(0);
        }
        let granted = (0..200).filter(|_| budget.withdraw(0, 0.2)).count();
        assert_eq!(granted, 100 / 5 + 10);
    }

    #[test]
    fn what_is_older_than_ten_seconds_is_forgotten_on_both_sides() {
        let budget = AttemptStatistics::new();
        for _ in 0..100 {
            budget.deposit(0);
        }
        assert_eq!((0..200).filter(|_| budget.withdraw(9, 0.2)).count(), 30);
        // The first attempts are too old now, and so are the retries.
        assert_eq!((0..200).filter(|_| budget.withdraw(20, 0.2)).count(), 10);
    }

    #[test]
    fn two_threads_spend_no_more_than_there_is() {
        let budget = AttemptStatistics::new();
        let granted: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..250 {
                            budget.deposit(1);
                        }
                        (0..100).filter(|_| budget.withdraw(1, 0.0)).count()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or(0)).sum()
        });
        assert_eq!(granted, 10);
    }

    #[test]
    fn calls_older_than_ten_seconds_are_forgotten_for_every_thread() {
        let budget = AttemptStatistics::new();
        let a_second_in_a_thread = |count: u32, now: u64| (0..count).for_each(|_| budget.deposit(now));
        std::thread::scope(|scope| {
            let (go, wait) = std::sync::mpsc::channel::<()>();
            let (done, is_done) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || {
                a_second_in_a_thread(1_000, 5);
                let _ = done.send(());
                let _ = wait.recv();
                a_second_in_a_thread(1, 20);
                let _ = done.send(());
            });
            let _ = is_done.recv();
            a_second_in_a_thread(1, 15);
            a_second_in_a_thread(1, 16);
            let _ = go.send(());
            let _ = is_done.recv();
        });
        // Three first attempts in the last ten seconds, at 15, 16 and 20: no more than the reserve.
        assert_eq!((0..500).filter(|_| budget.withdraw(20, 0.2)).count(), 10);
    }

    #[test]
    fn a_clock_that_was_far_ahead_once_does_not_silence_those_that_come_after() {
        let budget = AttemptStatistics::new();
        budget.deposit(3_600);
        for _ in 0..100 {
            budget.deposit(5);
        }
        assert_eq!((0..200).filter(|_| budget.withdraw(5, 0.2)).count(), 30);
    }

    #[test]
    fn a_clock_that_was_far_ahead_once_does_not_spend_the_retries_of_those_that_come_after() {
        let budget = AttemptStatistics::new();
        assert_eq!((0..20).filter(|_| budget.withdraw(3_600, 0.2)).count(), 10);
        assert!(budget.withdraw(5, 0.2));
    }

    #[test]
    fn the_ends_of_the_clock_are_no_special_case() {
        let budget = AttemptStatistics::new();
        budget.deposit(u64::MAX);
        assert!(budget.withdraw(u64::MAX, 0.2));
        budget.deposit(0);
        assert!(budget.withdraw(0, 0.2));
    }
}
