//! The level that the health of the server suggests, with hysteresis.

use std::time::Duration;

use resilient_policy::Level;

use crate::clock::Moment;

/// How long the health must be better before the level follows it by one step.
const BETTER_AFTER: Duration = Duration::from_secs(30);

/// Follows the health of the server: worse after two evaluations in a row, better by one step after 30 s.
#[derive(Debug, Default)]
pub(crate) struct LevelByHealth {
    level: Level,
    /// The level of the previous evaluation, if it was worse than the present level.
    worse: Option<Level>,
    /// Since when all evaluations were better than the present level.
    better_since: Option<Moment>,
}

impl LevelByHealth {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Evaluates the share of checks that pass, from 0 to 1. Returns the new level if it changes.
    pub(crate) fn evaluate(&mut self, share: f64, now: Moment) -> Option<Level> {
        let suggested = suggestion(share);
        if suggested > self.level {
            self.better_since = None;
            let before = self.worse.replace(suggested)?;
            self.worse = None;
            // The level that both evaluations at least ask for.
            self.level = before.min(suggested);
            return Some(self.level);
        }
        self.worse = None;
        if suggested == self.level {
            self.better_since = None;
            return None;
        }
        let since = *self.better_since.get_or_insert(now);
        if now.since(since) < BETTER_AFTER {
            return None;
        }
        self.level = self.level.better();
        self.better_since = (suggested < self.level).then_some(now);
        Some(self.level)
    }
}

/// Returns the level for a share of checks that pass.
fn suggestion(share: f64) -> Level {
    match share {
        share if share >= 0.9 => Level::Normal,
        share if share >= 0.7 => Level::Degraded,
        share if share >= 0.5 => Level::Minimal,
        _ => Level::Emergency,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The shares of four levels.
    const SHARES: [f64; 4] = [0.95, 0.8, 0.6, 0.1];

    fn moment(seconds: u64) -> Moment {
        Moment::FIRST.after(Duration::from_secs(seconds))
    }

    #[test]
    fn each_share_suggests_its_level() {
        let suggested = [1.0, 0.9, 0.89, 0.7, 0.69, 0.5, 0.49, 0.0].map(suggestion);
        let [normal, degraded, minimal, emergency] = [Level::Normal, Level::Degraded, Level::Minimal, Level::Emergency];
        assert_eq!(suggested, [normal, normal, degraded, degraded, minimal, minimal, emergency, emergency]);
    }

    #[test]
    fn it_gets_worse_after_two_evaluations_to_the_milder_level_and_better_by_one_step_in_30_s() {
        let mut level = LevelByHealth::new();
        assert_eq!(level.evaluate(0.1, moment(0)), None, "one is not enough");
        assert_eq!(level.evaluate(1.0, moment(10)), None);
        assert_eq!(level.evaluate(0.1, moment(20)), None, "the row was interrupted");
        assert_eq!(level.evaluate(0.6, moment(30)), Some(Level::Minimal), "both ask for at least that");
        assert_eq!(level.evaluate(1.0, moment(40)), None);
        assert_eq!(level.evaluate(1.0, moment(69)), None);
        assert_eq!(level.evaluate(1.0, moment(70)), Some(Level::Degraded));
        assert_eq!(level.evaluate(1.0, moment(99)), None);
        assert_eq!(level.evaluate(0.8, moment(100)), None, "it is as good as the level, and no better");
        assert_eq!(level.evaluate(1.0, moment(130)), None);
        assert_eq!(level.evaluate(1.0, moment(160)), Some(Level::Normal));
    }

    proptest! {
        #[test]
        fn the_level_changes_no_faster_than_its_dwell_and_gets_better_by_one_step(
            evaluations in proptest::collection::vec((0..SHARES.len(), 1_u64..40), 1..60),
        ) {
            let mut followed = LevelByHealth::new();
            let (mut level, mut now) = (Level::Normal, 0);
            // What was suggested since the level changed, and when.
            let mut seen: Vec<(Level, u64)> = Vec::new();
            for (share, seconds) in evaluations {
                now += seconds;
                let share = SHARES[share];
                seen.push((suggestion(share), now));
                let Some(changed) = followed.evaluate(share, moment(now)) else { continue };
                if changed > level {
                    let [.., (before, _), (last, _)] = seen[..] else {
                        return Err(TestCaseError::fail("worse after a single evaluation"));
                    };
                    prop_assert!(before > level && last > level);
                    prop_assert_eq!(changed, before.min(last));
                } else {
                    prop_assert_eq!(changed, level.better());
                    let better = seen.iter().rev().take_while(|(suggested, _)| *suggested < level);
                    let since = better.map(|(_, at)| *at).last().expect("this one");
                    prop_assert!(now - since >= 30, "{} s", now - since);
                }
                level = changed;
                // The evaluation that improved the level begins the next 30 s.
                seen.retain(|(suggested, at)| *at == now && *suggested < level);
            }
        }
    }
}
