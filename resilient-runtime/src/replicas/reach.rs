//! Whether calls request permits of the shared state.

use std::time::Duration;

use crate::clock::Moment;

/// After so many failures in a row, the state is skipped.
const FAILURES: u32 = 3;

/// For how long the state is skipped.
const SKIP: Duration = Duration::from_secs(1);

/// How long after the last skip the state counts as failing, if no call has found out whether it answers.
const FAILING: Duration = Duration::from_secs(60);

/// How long a call waits for the shared state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As long as any call.
    Whole,
    /// Less, because its deadline is earlier.
    Short,
}

/// Decides whether a call requests a permit of the shared state. After three failures in a row the state is skipped for
/// a second. From then on, one call each second requests a permit, until the state answers.
#[derive(Debug)]
pub(super) struct Reach {
    /// The failures since the last answer.
    failures: u32,
    skipped_until: Moment,
}

impl Reach {
    pub(super) const fn new() -> Self {
        Self { failures: 0, skipped_until: Moment::FIRST }
    }

    /// Returns whether a call requests a permit now.
    pub(super) fn allows_request(&mut self, now: Moment) -> bool {
        if self.failures < FAILURES {
            return true;
        }
        if now < self.skipped_until {
            return false;
        }
        // The others do not wait with this call. If it never reports a result, another one follows it later.
        self.skipped_until = now.after(SKIP);
        true
    }

    /// Records that the state did not answer in time, or with an error.
    pub(super) fn failed(&mut self, now: Moment) {
        self.failures = self.failures.saturating_add(1);
        self.skipped_until = now.after(SKIP);
    }

    /// Returns whether the state failed so often, and not long ago, that it is skipped.
    pub(super) fn is_failing(&self, now: Moment) -> bool {
        self.failures >= FAILURES && now < self.skipped_until.after(FAILING)
    }

    /// Records an answer.
    pub(super) const fn answered(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A state that has failed so often, the last time at `now`.
    fn failed(times: u32, now: Moment) -> Reach {
        let mut reach = Reach::new();
        for _ in 0..times {
            assert!(reach.allows_request(now));
            reach.failed(now);
        }
        reach
    }

    #[test]
    fn the_third_failure_in_a_row_skips_the_state_for_a_second() {
        let now = Moment::FIRST.after(ms(5));
        assert!(failed(2, now).allows_request(now), "two failures are not enough");
        let mut reach = failed(3, now);
        assert!(!reach.allows_request(now) && !reach.allows_request(now.after(ms(999))));
        assert!(reach.allows_request(now.after(ms(1_000))));
    }

    #[test]
    fn an_answer_between_failures_begins_the_count_again() {
        let now = Moment::FIRST;
        let mut reach = failed(2, now);
        reach.answered();
        reach.failed(now);
        reach.failed(now);
        assert!(reach.allows_request(now));
        reach.failed(now);
        assert!(!reach.allows_request(now));
    }

    #[test]
    fn after_the_second_one_call_tries_and_the_others_skip_the_state_until_it_answers() {
        let mut reach = failed(3, Moment::FIRST);
        let later = Moment::FIRST.after(ms(1_000));
        assert!(reach.allows_request(later) && !reach.allows_request(later));
        reach.failed(later.after(ms(50)));
        assert!(!reach.allows_request(later.after(ms(1_049))), "it failed again");
        let latest = later.after(ms(1_050));
        assert!(reach.allows_request(latest));
        reach.answered();
        assert!(reach.allows_request(latest) && reach.allows_request(latest));
    }

    #[test]
    fn a_call_that_tries_and_never_reports_its_result_is_followed_by_another_one() {
        let mut reach = failed(3, Moment::FIRST);
        let later = Moment::FIRST.after(ms(1_000));
        assert!(reach.allows_request(later) && !reach.allows_request(later.after(ms(999))));
        assert!(reach.allows_request(later.after(ms(1_000))));
    }

    #[test]
    fn a_state_is_failing_from_the_third_failure_until_an_answer_or_a_minute_without_calls() {
        let now = Moment::FIRST.after(ms(5));
        assert!(!failed(2, now).is_failing(now));
        let mut reach = failed(3, now);
        assert!(reach.is_failing(now) && reach.is_failing(now.after(ms(60_999))));
        assert!(!reach.is_failing(now.after(ms(61_000))));
        reach.answered();
        assert!(!reach.is_failing(now));
    }

    #[test]
    fn the_end_of_time_does_not_panic() {
        let mut reach = failed(3, Moment::LAST);
        reach.failures = u32::MAX;
        reach.failed(Moment::LAST);
        assert!(reach.allows_request(Moment::LAST));
    }
}
