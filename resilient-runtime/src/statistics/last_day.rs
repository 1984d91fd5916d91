//! How many errors occurred in each of the last 24 hours: a fixed number of counters.

use crate::clock::Moment;

/// The length of a step, the unit in which the hours move on.
const STEP_SECONDS: u64 = 5 * 60;
const STEPS_PER_HOUR: usize = 12;
const HOURS: usize = 24;
const STEPS: usize = HOURS * STEPS_PER_HOUR;

/// Numbers of errors by hour, the oldest first. The last hour ends with the step that has begun.
pub(crate) type Hours = [u64; HOURS];

/// The errors of the last 24 hours, in steps of five minutes.
#[derive(Clone)]
pub(super) struct LastDay {
    /// The number of the last step, counted from the origin of the clock.
    newest: u64,
    /// The errors in each step, the oldest first.
    steps: [u32; STEPS],
}

impl LastDay {
    pub(super) const fn new(now: Moment) -> Self {
        Self { newest: step(now), steps: [0; STEPS] }
    }

    /// Counts an error. This does not allocate.
    pub(super) fn count(&mut self, now: Moment) {
        self.advance(now);
        if let Some(newest) = self.steps.last_mut() {
            *newest = newest.saturating_add(1);
        }
    }

    pub(super) fn hours(&self, now: Moment) -> Hours {
        let mut day = self.clone();
        day.advance(now);
        let mut hours = [0; HOURS];
        for (hour, steps) in hours.iter_mut().zip(day.steps.chunks_exact(STEPS_PER_HOUR)) {
            *hour = steps.iter().copied().map(u64::from).sum();
        }
        hours
    }

    /// Drops the steps that are older than a day. Threads read the clock one after the other and count in any order, so
    /// `now` may be in an earlier step than the newest: then nothing changes.
    fn advance(&mut self, now: Moment) {
        let step = step(now);
        let passed = usize::try_from(step.saturating_sub(self.newest)).unwrap_or(STEPS).min(STEPS);
        if passed > 0 {
            self.newest = step;
            self.steps.rotate_left(passed);
            self.steps.iter_mut().rev().take(passed).for_each(|errors| *errors = 0);
        }
    }
}

const fn step(moment: Moment) -> u64 {
    moment.seconds() / STEP_SECONDS
}

/// Adds the errors of each hour.
pub(super) fn add(to: &mut Hours, more: &Hours) {
    to.iter_mut().zip(more).for_each(|(hour, more)| *hour += more);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn minute(minutes: u64) -> Moment {
        Moment::FIRST.after(Duration::from_secs(60 * minutes))
    }

    #[test]
    fn an_error_is_in_the_last_hour_until_twelve_steps_have_begun_after_its_own() {
        let mut day = LastDay::new(minute(3));
        day.count(minute(4));
        for (now, hour) in [(4, 23), (59, 23), (60, 22), (119, 22), (120, 21), (24 * 60 - 1, 0)] {
            let mut hours = [0; HOURS];
            hours[hour] = 1;
            assert_eq!(day.hours(minute(now)), hours, "at {now} min");
        }
        assert_eq!(day.hours(minute(24 * 60)), [0; HOURS]);
    }

    #[test]
    fn an_error_that_is_counted_after_a_later_one_is_not_lost() {
        let mut day = LastDay::new(minute(14));
        day.count(minute(15));
        day.count(minute(14));
        assert_eq!(day.hours(minute(14))[HOURS - 1], 2);
    }

    #[test]
    fn the_number_of_errors_in_a_step_has_a_limit_instead_of_an_overflow() {
        let mut day = LastDay::new(minute(0));
        day.steps[STEPS - 1] = u32::MAX;
        day.count(minute(0));
        assert_eq!(day.hours(minute(0))[HOURS - 1], u64::from(u32::MAX));
    }
}
