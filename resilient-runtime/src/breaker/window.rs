//! The results that a rate is taken of: the last so many, or those of the last so long.
//!
//! Plain data; whoever owns it holds its lock and knows the time.

use std::collections::VecDeque;

use resilient_policy::{BreakerSettings, Window};

/// The most results that are kept, as many as the rules allow, whatever code asks for that did not
/// ask them.
const MOST: u32 = 100_000;

/// A time window moves in this many steps.
const STEPS: u64 = 10;

/// One result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

/// Where a result stands in a window: its number among the last, or that of its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u64);

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
    /// `first` is the number of the oldest result in the ring. One that was withdrawn leaves its place empty, so that
    /// the others keep their numbers.
    Last {
        ring: VecDeque<Option<Sample>>,
        first: u64,
        totals: Totals,
    },
    Recent(VecDeque<Step>),
}

impl Default for Kept {
    fn default() -> Self {
        Self::last()
    }
}

impl Kept {
    const fn last() -> Self {
        Self::Last { ring: VecDeque::new(), first: 0, totals: Totals { calls: 0, failed: 0, slow: 0 } }
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
        Self { generation: 0, kept: Kept::last() }
    }

    /// Adds a result of this generation; those of others are forgotten.
    pub(crate) fn add(&mut self, generation: u64, window: Window, sample: Sample, now_ms: u64) -> Totals {
        if !self.prepare(generation, window) {
            return Totals::default();
        }
        match (&mut self.kept, window) {
            (Kept::Last { ring, first, totals }, Window::Count(size)) => {
                ring.push_back(Some(sample));
                totals.add(sample);
                trim(ring, first, totals, size);
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

    /// Where the result stands that was added last.
    pub(crate) fn newest(&self) -> Option<Place> {
        match &self.kept {
            Kept::Last { ring, first, .. } => Some(Place(first + u64::try_from(ring.len()).ok()?.checked_sub(1)?)),
            Kept::Recent(steps) => steps.back().map(|newest| Place(newest.number)),
        }
    }

    /// Takes in how an execution ended that was counted as slow while it was still running: in its
    /// place, or, where the window has moved on since, as a result of its own.
    pub(crate) fn end_slow(
        &mut self,
        generation: u64,
        window: Window,
        place: Option<Place>,
        failed: bool,
        now_ms: u64,
    ) -> Totals {
        if !self.prepare(generation, window) {
            return Totals::default();
        }
        // Steps whose time is over must not be found.
        let _ = self.totals(generation, window, now_ms);
        let found = place.is_some_and(|Place(place)| match &mut self.kept {
            Kept::Last { ring, first, totals } => {
                let index = place.checked_sub(*first).and_then(|index| usize::try_from(index).ok());
                let Some(Some(sample)) = index.and_then(|index| ring.get_mut(index)) else { return false };
                sample.failed = failed;
                totals.failed = totals.failed.saturating_add(u32::from(failed));
                true
            }
            Kept::Recent(steps) => {
                let Some(step) = steps.iter_mut().find(|step| step.number == place) else { return false };
                step.totals.failed = step.totals.failed.saturating_add(u32::from(failed));
                true
            }
        });
        if found {
            self.totals(generation, window, now_ms)
        } else {
            self.add(generation, window, Sample { failed, slow: true }, now_ms)
        }
    }

    /// Takes out a result that was counted as slow while its execution was running, unless the window has moved on.
    pub(crate) fn withdraw_slow(&mut self, generation: u64, Place(place): Place) {
        if self.generation != generation {
            return;
        }
        let slow = Sample { failed: false, slow: true };
        match &mut self.kept {
            Kept::Last { ring, first, totals } => {
                let index = place.checked_sub(*first).and_then(|index| usize::try_from(index).ok());
                if index.and_then(|index| ring.get_mut(index)).and_then(Option::take).is_some() {
                    totals.remove(slow);
                }
            }
            Kept::Recent(steps) => {
                if let Some(step) = steps.iter_mut().find(|step| step.number == place) {
                    step.totals.remove(slow);
                }
            }
        }
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
        let right_kind =
            matches!((&self.kept, window), (Kept::Last { .. }, Window::Count(_)) | (Kept::Recent(_), Window::Time(_)));
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

fn trim(ring: &mut VecDeque<Option<Sample>>, first: &mut u64, totals: &mut Totals, size: u32) {
    let size = size.clamp(1, MOST);
    // Empty places take no result's place in the window, but there may not be more of them than results.
    let is_too_long = |places: usize| places / 2 >= usize::try_from(size).unwrap_or(usize::MAX);
    while totals.calls > size || is_too_long(ring.len()) {
        let Some(oldest) = ring.pop_front() else { break };
        *first += 1;
        if let Some(oldest) = oldest {
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
