//! The window of results that rates are computed from: the last N results, or those of a period.
//!
//! This is plain data. The owner holds the lock and provides the time.

use std::collections::VecDeque;

use resilient_policy::{BreakerSettings, Window};

/// The maximum number of results in a window. The rules have the same limit, but code can create settings without
/// checking them.
const MOST: u32 = 100_000;

/// The number of steps in which a time window advances.
const STEPS: u64 = 10;

/// The result of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

/// The position of a result in a window: its sequence number, or the number of its step, and how often the window had
/// been restarted, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SampleNumber(u64);

impl SampleNumber {
    const BITS: u32 = 48;
    const MASK: u64 = (1 << Self::BITS) - 1;

    fn new(restarts: u16, number: u64) -> Self {
        Self(u64::from(restarts) << Self::BITS | (number & Self::MASK))
    }

    /// Returns the number, if the window has not been restarted since.
    fn since(self, restarts: u16) -> Option<u64> {
        (self.0 >> Self::BITS == u64::from(restarts)).then_some(self.0 & Self::MASK)
    }
}

/// The number of results, in total and by kind.
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

    /// Returns whether a rate is reached: equal is enough.
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
    /// How often the window was restarted within a generation.
    restarts: u16,
    samples: Samples,
}

#[derive(Debug)]
enum Samples {
    /// `first` is the sequence number of the oldest result in the ring. A withdrawn result leaves an empty entry, so
    /// that the others keep their numbers.
    Last {
        ring: VecDeque<Option<Sample>>,
        first: u64,
        totals: Totals,
    },
    Recent(VecDeque<Step>),
}

impl Default for Samples {
    fn default() -> Self {
        Self::last()
    }
}

impl Samples {
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
        Self { generation: 0, restarts: 0, samples: Samples::last() }
    }

    /// Removes all results. The positions of those that were counted as slow while they ran are no longer valid.
    #[cfg(feature = "config")]
    pub(crate) fn restart(&mut self) {
        self.restarts = self.restarts.wrapping_add(1);
        self.samples = Samples::default();
    }

    /// Adds a result of this generation. Results of older generations are discarded.
    pub(crate) fn add(&mut self, generation: u64, window: Window, sample: Sample, now_ms: u64) -> Totals {
        if !self.prepare(generation, window) {
            return Totals::default();
        }
        match (&mut self.samples, window) {
            (Samples::Last { ring, first, totals }, Window::Count(size)) => {
                ring.push_back(Some(sample));
                totals.add(sample);
                trim(ring, first, totals, size);
            }
            (Samples::Recent(steps), Window::Time(_)) => {
                let number = now_ms / step_length(window);
                match steps.back_mut() {
                    // If the clock seems to go backwards, the result counts for the newest step.
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

    /// Returns the position of the result that was added last.
    pub(crate) fn newest(&self) -> Option<SampleNumber> {
        let number = match &self.samples {
            Samples::Last { ring, first, .. } => first + u64::try_from(ring.len()).ok()?.checked_sub(1)?,
            Samples::Recent(steps) => steps.back()?.number,
        };
        Some(SampleNumber::new(self.restarts, number))
    }

    /// Records the end of an execution that was counted as slow while it was running: at its position, or as a new
    /// result if it has left the window since.
    pub(crate) fn end_slow(
        &mut self,
        generation: u64,
        window: Window,
        number: Option<SampleNumber>,
        failed: bool,
        now_ms: u64,
    ) -> Totals {
        if !self.prepare(generation, window) {
            return Totals::default();
        }
        // Removes expired steps, so that they are not found below.
        let _ = self.totals(generation, window, now_ms);
        let number = number.and_then(|number| number.since(self.restarts));
        let found = number.is_some_and(|number| match &mut self.samples {
            Samples::Last { ring, first, totals } => {
                let index = number.checked_sub(*first).and_then(|index| usize::try_from(index).ok());
                let Some(Some(sample)) = index.and_then(|index| ring.get_mut(index)) else { return false };
                sample.failed = failed;
                totals.failed = totals.failed.saturating_add(u32::from(failed));
                true
            }
            Samples::Recent(steps) => {
                let Some(step) = steps.iter_mut().find(|step| step.number == number) else { return false };
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

    /// Removes a result that was counted as slow while its execution was running, unless it has left the window.
    pub(crate) fn withdraw_slow(&mut self, generation: u64, number: SampleNumber) {
        let Some(number) = number.since(self.restarts).filter(|_| self.generation == generation) else { return };
        let slow = Sample { failed: false, slow: true };
        match &mut self.samples {
            Samples::Last { ring, first, totals } => {
                let index = number.checked_sub(*first).and_then(|index| usize::try_from(index).ok());
                if index.and_then(|index| ring.get_mut(index)).and_then(Option::take).is_some() {
                    totals.remove(slow);
                }
            }
            Samples::Recent(steps) => {
                if let Some(step) = steps.iter_mut().find(|step| step.number == number) {
                    step.totals.remove(slow);
                }
            }
        }
    }

    /// Returns the totals of the window. Steps expire by the clock, however long ago the last call was.
    pub(crate) fn totals(&mut self, generation: u64, window: Window, now_ms: u64) -> Totals {
        if self.generation != generation {
            return Totals::default();
        }
        match &mut self.samples {
            Samples::Last { totals, .. } => *totals,
            Samples::Recent(steps) => {
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

    /// Prepares the window for results of this generation and kind. Returns `false` if the window is of a newer
    /// generation, which a late result must not change.
    fn prepare(&mut self, generation: u64, window: Window) -> bool {
        if generation < self.generation {
            return false;
        }
        let right_kind = matches!(
            (&self.samples, window),
            (Samples::Last { .. }, Window::Count(_)) | (Samples::Recent(_), Window::Time(_))
        );
        if self.generation == generation && right_kind {
            return true;
        }
        self.generation = generation;
        self.samples = match window {
            Window::Count(_) => Samples::default(),
            Window::Time(_) => Samples::Recent(VecDeque::new()),
        };
        true
    }
}

fn trim(ring: &mut VecDeque<Option<Sample>>, first: &mut u64, totals: &mut Totals, size: u32) {
    let size = size.clamp(1, MOST);
    // Empty entries do not count towards the size, but there must not be more of them than results.
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
