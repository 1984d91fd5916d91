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
            let Some(before) = self.worse.replace(suggested) else { return None };
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
        self.better_since = Some(now);
        self.level = self.level.better();
        Some(self.level)
    }
}

/// Returns the level for a share of checks that pass. Without a number it is the strictest.
fn suggestion(share: f64) -> Level {
    match share {
        share if share >= 0.9 => Level::Normal,
        share if share >= 0.7 => Level::Degraded,
        share if share >= 0.5 => Level::Minimal,
        _ => Level::Emergency,
    }
}
