//! A latency histogram of fixed size whose edges include those of OpenTelemetry.

use std::time::Duration;

use super::sharded::{Counters, LineCounters, Sharded};
use crate::clock::saturating_micros;

/// The upper edges in milliseconds, inclusive: about five per decade, including every edge of the OpenTelemetry
/// convention for `mcp.server.operation.duration`.
pub(crate) const EDGES_MS: [u64; 25] = [
    1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 300, 500, 700, 1_000, 2_000, 3_000, 5_000, 10_000, 30_000, 60_000,
    120_000, 300_000,
];

const EDGES_US: [u64; EDGES_MS.len()] = {
    let mut edges = EDGES_MS;
    let mut index = 0;
    while index < edges.len() {
        edges[index] *= 1_000;
        index += 1;
    }
    edges
};

const BUCKETS: usize = EDGES_MS.len() + 1;
/// The index of the sum of all samples, in microseconds. It is next to the shortest buckets, which most samples hit.
const SUM: usize = 0;
/// The index of the first bucket.
const FIRST: usize = SUM + 1;

/// The number of counters that its sum and its shortest bucket take.
pub(super) const SHORTEST: usize = FIRST + 1;

/// The upper edge of the first bucket, in microseconds.
const FIRST_EDGE_US: u64 = EDGES_US[0];

/// The number of counters that a histogram takes in a [`Sharded`], starting at its `place`.
pub(crate) const COUNTERS: usize = FIRST + BUCKETS;

impl<const N: usize> Counters<'_, N> {
    /// Records a duration in the histogram that starts at `place`.
    pub(crate) fn record(self, place: usize, micros: u64) {
        // Calls that are frequent enough for this to matter are usually fast.
        let bucket = if micros <= FIRST_EDGE_US { 0 } else { EDGES_US.partition_point(|edge| *edge < micros) };
        self.add(place + FIRST + bucket, 1);
        self.add(place + SUM, micros);
    }
}

impl LineCounters<'_> {
    /// Records a duration of the shortest bucket in the histogram that starts at `place`. Returns `false` if it is longer:
    /// then nothing is recorded. Of such a histogram, nothing else need exist.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(crate) fn record_shortest(self, place: usize, micros: u64) -> bool {
        let is_short = micros <= FIRST_EDGE_US;
        if is_short {
            self.add(place + FIRST, 1);
            self.add(place + SUM, micros);
        }
        is_short
    }
}

impl<const N: usize> Sharded<N> {
    /// Returns the number of durations in the shortest bucket, and the sum of all durations in microseconds, of the
    /// histogram that starts at `place`.
    pub(crate) fn shortest(&self, place: usize) -> (u64, u64) {
        (self.sum(place + FIRST), self.sum(place + SUM))
    }

    /// Reads the histogram that starts at `place`.
    pub(crate) fn durations(&self, place: usize) -> HistogramSnapshot {
        HistogramSnapshot {
            buckets: (0..BUCKETS).map(|bucket| self.sum(place + FIRST + bucket)).collect(),
            sum: Duration::from_micros(self.sum(place + SUM)),
        }
    }
}

/// Durations by bucket, and their sum. The number of samples is the sum of the buckets.
pub(crate) struct Histogram(Sharded<COUNTERS>);

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    pub(crate) const fn new() -> Self {
        Self(Sharded::new())
    }

    pub(crate) fn record(&self, duration: Duration) {
        self.record_micros(saturating_micros(duration));
    }

    pub(crate) fn record_micros(&self, micros: u64) {
        self.0.mine().record(0, micros);
    }

    pub(crate) fn read(&self) -> HistogramSnapshot {
        self.0.durations(0)
    }
}

/// A snapshot of a histogram of durations.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// # use resilient_runtime::{Registry, ResilienceError, resilient};
/// # #[resilient(name = "histogram")]
/// # async fn ask() -> Result<u32, ResilienceError> { Ok(1) }
/// # ask().await.unwrap();
/// let durations = Registry::global().function("histogram").unwrap().good_durations;
/// assert_eq!(durations.count(), 1);
/// assert!(durations.quantile(0.95).as_secs() < 1);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistogramSnapshot {
    /// Samples per bucket, in the order of [`HistogramSnapshot::edges`]. The last bucket holds the samples beyond
    /// the last edge.
    pub buckets: Vec<u64>,
    /// The sum of all samples.
    pub sum: Duration,
}

impl HistogramSnapshot {
    /// The edges of the OpenTelemetry conventions for `mcp.server.operation.duration`. Every histogram in this
    /// crate has all of them.
    pub const CONVENTIONAL: [Duration; 14] = {
        let ms = Duration::from_millis;
        [
            ms(10),
            ms(20),
            ms(50),
            ms(100),
            ms(200),
            ms(500),
            ms(1_000),
            ms(2_000),
            ms(5_000),
            ms(10_000),
            ms(30_000),
            ms(60_000),
            ms(120_000),
            ms(300_000),
        ]
    };

    /// Returns the samples in the buckets of [`CONVENTIONAL`](Self::CONVENTIONAL), with those beyond its last edge.
    #[cfg(any(feature = "alerts", feature = "prometheus"))]
    pub(crate) fn conventional(&self) -> [u64; Self::CONVENTIONAL.len() + 1] {
        let mut buckets = [0; Self::CONVENTIONAL.len() + 1];
        for (edge, count) in Self::edges().chain([Duration::MAX]).zip(&self.buckets) {
            let at = Self::CONVENTIONAL.partition_point(|conventional| *conventional < edge);
            if let Some(sum) = buckets.get_mut(at) {
                *sum += count;
            }
        }
        buckets
    }

    /// Returns a snapshot without samples.
    pub(super) fn empty() -> Self {
        Self { buckets: vec![0; BUCKETS], sum: Duration::ZERO }
    }

    /// Adds samples of the shortest bucket, with the sum of their durations in microseconds.
    pub(super) fn add_shortest(&mut self, (count, micros): (u64, u64)) {
        if let Some(first) = self.buckets.first_mut() {
            *first += count;
        }
        self.sum = self.sum.saturating_add(Duration::from_micros(micros));
    }

    /// Adds the samples of another snapshot.
    pub(crate) fn add(&mut self, others: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&others.buckets) {
            *bucket += more;
        }
        self.sum = self.sum.saturating_add(others.sum);
    }

    /// Returns the upper edges of all buckets except the last. Each edge belongs to the bucket below it.
    pub fn edges() -> impl Iterator<Item = Duration> {
        EDGES_MS.into_iter().map(Duration::from_millis)
    }

    /// Returns the duration that this share of the samples does not exceed, such as `0.95`.
    ///
    /// The result is an estimate that interpolates linearly within a bucket. It is zero if there are no samples, and
    /// the last edge if it lies beyond that. `share` is clamped to the range from 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn quantile(&self, share: f64) -> Duration {
        // NaN counts as 0.
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        let wanted = share * self.count() as f64;
        let (mut below, mut from) = (0.0, Duration::ZERO);
        for (edge, count) in Self::edges().zip(&self.buckets) {
            let count = *count as f64;
            if count > 0.0 && below + count >= wanted {
                return from + edge.saturating_sub(from).mul_f64(((wanted - below) / count).clamp(0.0, 1.0));
            }
            (below, from) = (below + count, edge);
        }
        if self.count() == 0 { Duration::ZERO } else { from }
    }

    /// Returns the number of samples.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_of_the_convention_is_an_edge() {
        let convention = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
        assert_eq!(HistogramSnapshot::CONVENTIONAL, convention.map(Duration::from_secs_f64));
        for conventional in HistogramSnapshot::CONVENTIONAL {
            assert!(HistogramSnapshot::edges().any(|edge| edge == conventional), "{conventional:?}");
        }
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_of_its_sample() {
        let ms = Duration::from_millis;
        let histogram = Histogram::new();
        assert_eq!(histogram.read().quantile(0.5), Duration::ZERO);
        (0..90).for_each(|_| histogram.record(ms(15)));
        (0..10).for_each(|_| histogram.record(ms(250)));
        let read = histogram.read();
        assert_eq!((read.quantile(0.45), read.quantile(0.9)), (Duration::from_micros(12_500), ms(15)));
        assert_eq!((read.quantile(0.95), read.quantile(1.0), read.quantile(0.0)), (ms(250), ms(300), ms(10)));
        histogram.record(Duration::from_secs(4_000));
        assert_eq!((histogram.read().quantile(1.0), read.quantile(f64::NAN)), (ms(300_000), ms(10)));
    }

    #[test]
    fn a_sample_on_an_edge_belongs_to_the_bucket_below() {
        let histogram = Histogram::new();
        for micros in [0, 1_000, 1_001, 400_000_000] {
            histogram.record(Duration::from_micros(micros));
        }
        let read = histogram.read();
        assert_eq!((read.buckets[0], read.buckets[1], read.buckets[25]), (2, 1, 1));
        assert_eq!((read.count(), read.sum), (4, Duration::from_micros(400_002_001)));
    }
}
