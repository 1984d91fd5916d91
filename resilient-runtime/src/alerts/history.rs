//! What the samples of the last hour show, in bounded memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::counter::{Counter, is_within};
use super::sample::{BUCKETS, BreakerSample, Sample, ToolSample};
use crate::breaker::BreakerState;
use crate::gate::Level;

/// The longest window of a rule that is evaluated in the process.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The longest window of durations, and of how many calls wait.
const LONGEST_OF_DURATIONS: Duration = Duration::from_secs(10 * 60);

/// The maximum number of tools, of breakers, and of pairs of a tool and a code whose history is kept at a time. Further
/// ones count for the server as a whole alone, until one of these has had no calls for the longest window of its rules.
/// The last totals of all of them are kept, like those in the statistics of the registry.
const MOST: usize = 1_000;

/// The samples of the last hour.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Whether there was a sample. What the first one counted is older than the history.
    has_begun: bool,
    is_full: bool,
    calls: Option<Counter<3>>,
    durations: Option<Counter<BUCKETS>>,
    refused: Option<Counter<1>>,
    pub(super) tools: BTreeMap<Arc<str>, ToolHistory>,
    /// The errors of each tool and code.
    pub(super) errors: BTreeMap<(Arc<str>, Arc<str>), Counter<1>>,
    pub(super) breakers: BTreeMap<&'static str, BreakerHistory>,
    /// The numbers of calls that waited, oldest first.
    waiting: VecDeque<(Instant, u64)>,
    pub(super) places: u64,
    pub(super) dead: u64,
    pub(super) level: Level,
    pub(super) memory: Option<f64>,
}

/// The history of one tool.
#[derive(Debug)]
pub(super) struct ToolHistory {
    pub(super) durations: Counter<BUCKETS>,
    pub(super) timeout: Option<Duration>,
}

/// The history of the breakers of one name.
#[derive(Debug)]
pub(super) struct BreakerHistory {
    pub(super) state: BreakerState,
    /// See [`BreakerSample::counts`].
    pub(super) counts: Counter<4>,
}

impl History {
    /// Adds a sample.
    pub(super) fn add(&mut self, now: Instant, sample: Sample) {
        let Sample { calls, tools, errors, breakers, waiting, places, refused, dead, level, memory } = sample;
        (self.places, self.dead, self.level, self.memory) = (places, dead, level, memory);
        record(&mut self.calls, now, calls, LONGEST);
        record(&mut self.refused, now, [refused], LONGEST);
        record(&mut self.durations, now, sum(tools.iter().map(|tool| tool.durations)), LONGEST_OF_DURATIONS);
        let mut room = Room::of(self, now);
        let mut left_out = false;
        for tool in tools {
            left_out |= self.add_tool(&mut room.tools, now, tool);
        }
        for (key, count) in errors {
            left_out |= self.add_errors(&mut room.errors, now, key, count);
        }
        for breaker in &breakers {
            left_out |= self.add_breaker(&mut room.breakers, now, breaker);
        }
        let has_room = room.tools > 0 && room.errors > 0 && room.breakers > 0;
        self.is_full = left_out || (self.is_full && !has_room);
        self.waiting.push_back((now, waiting));
        while self.waiting.front().is_some_and(|(at, _)| !is_within(*at, now, LONGEST_OF_DURATIONS)) {
            self.waiting.pop_front();
        }
        self.has_begun = true;
    }

    /// Adds the sample of a tool. Returns whether there was no room for it.
    fn add_tool(&mut self, room: &mut usize, now: Instant, sample: ToolSample) -> bool {
        let ToolSample { name, durations, timeout } = sample;
        let first = if self.has_begun { [0; BUCKETS] } else { durations };
        let new = || ToolHistory { durations: Counter::from(first), timeout };
        let known = self.tools.entry(name).or_insert_with(new);
        known.timeout = timeout;
        known.durations.record_if(room, now, durations, LONGEST_OF_DURATIONS)
    }

    fn add_errors(&mut self, room: &mut usize, now: Instant, key: (Arc<str>, Arc<str>), count: u64) -> bool {
        let first = if self.has_begun { 0 } else { count };
        let known = self.errors.entry(key).or_insert_with(|| Counter::from([first]));
        known.record_if(room, now, [count], LONGEST)
    }

    fn add_breaker(&mut self, room: &mut usize, now: Instant, sample: &BreakerSample) -> bool {
        let BreakerSample { name, state, counts } = *sample;
        let first = if self.has_begun { [0; 4] } else { counts };
        let known = self.breakers.entry(name);
        let known = known.or_insert_with(|| BreakerHistory { state, counts: Counter::from(first) });
        known.state = state;
        known.counts.record_if(room, now, counts, LONGEST)
    }

    /// Returns whether something is not evaluated, because the history of too many others is kept.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns how many calls ended, ran and failed within the window.
    pub(super) fn calls(&self, now: Instant, window: Duration) -> [u64; 3] {
        self.calls.as_ref().map_or([0; 3], |calls| calls.within(now, window))
    }

    /// Returns the durations of all tool calls within the window.
    pub(super) fn durations(&self, now: Instant, window: Duration) -> [u64; BUCKETS] {
        self.durations.as_ref().map_or([0; BUCKETS], |durations| durations.within(now, window))
    }

    /// Returns how many requests without permission there were within the window.
    pub(super) fn refused(&self, now: Instant, window: Duration) -> u64 {
        let [refused] = self.refused.as_ref().map_or([0], |refused| refused.within(now, window));
        refused
    }

    /// Returns how many more calls wait now than at the beginning of the window.
    pub(super) fn queue_growth(&self, now: Instant, window: Duration) -> u64 {
        let first = self.waiting.iter().find(|(at, _)| is_within(*at, now, window));
        let (Some((_, first)), Some((_, last))) = (first, self.waiting.back()) else { return 0 };
        last.saturating_sub(*first)
    }
}

/// How many more tools, pairs of a tool and a code, and breakers can be kept.
struct Room {
    tools: usize,
    errors: usize,
    breakers: usize,
}

impl Room {
    /// Forgets what is too old, and counts the rest.
    fn of(history: &mut History, now: Instant) -> Self {
        let tools = history
            .tools
            .values_mut()
            .filter_map(|tool| tool.durations.forget(now, LONGEST_OF_DURATIONS).then_some(()));
        let tools = MOST.saturating_sub(tools.count());
        let errors = history.errors.values_mut().filter_map(|errors| errors.forget(now, LONGEST).then_some(()));
        let errors = MOST.saturating_sub(errors.count());
        let breakers =
            history.breakers.values_mut().filter_map(|breaker| breaker.counts.forget(now, LONGEST).then_some(()));
        Self { tools, errors, breakers: MOST.saturating_sub(breakers.count()) }
    }
}

/// Records totals. The first ones are older than the history.
fn record<const N: usize>(counter: &mut Option<Counter<N>>, now: Instant, totals: [u64; N], longest: Duration) {
    counter.get_or_insert_with(|| Counter::from(totals)).record(now, totals, longest);
}

fn sum<const N: usize>(all: impl Iterator<Item = [u64; N]>) -> [u64; N] {
    let mut sums = [0_u64; N];
    for each in all {
        for (sum, more) in sums.iter_mut().zip(each) {
            *sum = sum.saturating_add(more);
        }
    }
    sums
}
