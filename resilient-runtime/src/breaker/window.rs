//! The results that a rate is taken of: the last so many, or those of the last so long.
//!
//! Plain data; whoever owns it holds its lock and knows the time.

use std::collections::VecDeque;

use resilient_policy::{BreakerSettings, Window};

/// A time window moves in this many steps.
const STEPS: u64 = 10;

/// One result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

/// How many results there are, and of which kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) calls: u32,
    pub(crate) failed: u32,
    pub(crate) slow: u32,
}

impl Totals {
    fn add(&mut self, sample: Sample) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(u32::from(sample.failed));
        self.slow = self.slow.saturating_add(u32::from(sample.slow));
    }

    fn remove(&mut self, sample: Sample) {
        self.calls = self.calls.saturating_sub(1);
        self.failed = self.failed.saturating_sub(u32::from(sample.failed));
        self.slow = self.slow.saturating_sub(u32::from(sample.slow));
    }

    /// Whether a rate is reached: at least, not above.
    pub(crate) fn trips(self, settings: &BreakerSettings) -> bool {
        if self.calls == 0 || self.calls < settings.min_calls_that_hold() {
            return false;
        }
        let share = |count: u32| f64::from(count) / f64::from(self.calls);
        settings.rate.is_some_and(|rate| share(self.failed) >= rate)
            || (settings.slow.is_some() && share(self.slow) >= settings.slow_rate)
    }
}

/// The results of one generation of a breaker.
#[derive(Debug, Default)]
pub(crate) struct Results {
    generation: u64,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Last { ring: VecDeque<Sample>, totals: Totals },
    Recent(VecDeque<Step>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Last { ring: VecDeque::new(), totals: Totals::default() }
    }
}

/// The results of one step of a time window.
#[derive(Debug, Clone, Copy)]
struct Step {
    number: u64,
    totals: Totals,
}

impl Results {
    pub(crate) const fn new() -> Self {
        Self { generation: 0, kept: Kept::Last { ring: VecDeque::new(), totals: Totals { calls: 0, failed: 0, slow: 0 } } }
    }

    /// Adds a result of this generation; those of others are forgotten.
    pub(crate) fn add(&mut self, generation: u64, window: Window, sample: Sample, now_ms: u64) -> Totals {
        if !self.prepare(generation, window) {
            return Totals::default();
        }
        match (&mut self.kept, window) {
            (Kept::Last { ring, totals }, Window::Count(size)) => {
                ring.push_back(sample);
                totals.add(sample);
                trim(ring, totals, size);
            }
            (Kept::Recent(steps), Window::Time(_)) => {
                let number = now_ms / step_length(window);
                match steps.back_mut() {
                    // A clock that seems to step back adds to what is newest.
                    Some(newest) if newest.number >= number => newest.totals.add(sample),
                    _ => {
                        let mut totals = Totals::default();
                        totals.add(sample);
                        steps.push_back(Step { number, totals });
                    }
                }
            }
            _ => {}
        }
        self.totals(generation, window, now_ms)
    }

    /// Takes note that a result that was counted as slow while it was still running has failed.
    pub(crate) fn slow_one_failed(&mut self, generation: u64, window: Window, now_ms: u64) -> Totals {
        if !self.prepare(generation, window) {
            return Totals::default();
        }
        match &mut self.kept {
            Kept::Last { ring, totals } => {
                if let Some(found) = ring.iter_mut().rev().find(|sample| sample.slow && !sample.failed) {
                    found.failed = true;
                    totals.failed = totals.failed.saturating_add(1);
                }
            }
            Kept::Recent(steps) => {
                if let Some(found) = steps.iter_mut().rev().find(|step| step.totals.failed < step.totals.calls) {
                    found.totals.failed += 1;
                }
            }
        }
        self.totals(generation, window, now_ms)
    }

    /// What the window holds now. Steps are forgotten by their time, however long nobody asked.
    pub(crate) fn totals(&mut self, generation: u64, window: Window, now_ms: u64) -> Totals {
        if self.generation != generation {
            return Totals::default();
        }
        match &mut self.kept {
            Kept::Last { totals, .. } => *totals,
            Kept::Recent(steps) => {
                let current = now_ms / step_length(window);
                while steps.front().is_some_and(|oldest| oldest.number + STEPS <= current) {
                    steps.pop_front();
                }
                steps.iter().fold(Totals::default(), |sum, step| Totals {
                    calls: sum.calls.saturating_add(step.totals.calls),
                    failed: sum.failed.saturating_add(step.totals.failed),
                    slow: sum.slow.saturating_add(step.totals.slow),
                })
            }
        }
    }

    /// Makes the window one of this generation and of this kind. `false` where it is already one of
    /// a newer generation, which a late result must not touch.
    fn prepare(&mut self, generation: u64, window: Window) -> bool {
        if generation < self.generation {
            return false;
        }
        let right_kind = matches!(
            (&self.kept, window),
            (Kept::Last { .. }, Window::Count(_)) | (Kept::Recent(_), Window::Time(_))
        );
        if self.generation == generation && right_kind {
            return true;
        }
        self.generation = generation;
        self.kept = match window {
            Window::Count(_) => Kept::default(),
            Window::Time(_) => Kept::Recent(VecDeque::new()),
        };
        true
    }
}

fn trim(ring: &mut VecDeque<Sample>, totals: &mut Totals, size: u32) {
    while u32::try_from(ring.len()).unwrap_or(u32::MAX) > size.max(1) {
        if let Some(oldest) = ring.pop_front() {
            totals.remove(oldest);
        }
    }
}

fn step_length(window: Window) -> u64 {
    match window {
        Window::Time(length) => (crate::clock::saturating_millis(length) / STEPS).max(1),
        Window::Count(_) => 1,
    }
}
