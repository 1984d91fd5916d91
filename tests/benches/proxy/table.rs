//! The table: the median of the rounds for each way.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rounds::{Load, Measured};
use crate::ways::Way;

/// Prints the table, and returns its rows.
pub(crate) fn print(ways: &[Way], rounds: &[Vec<Measured>]) -> Vec<Value> {
    println!(
        "{:<32}{:>8} {:>8}{:>9}{:>8} |{:>9}{:>9}{:>8} |{:>7}{:>7}{:>9}{:>7} |{:>7}{:>9}{:>7}",
        "",
        "p50 µs",
        "/ direct",
        "p99 µs",
        "/ dir.",
        "p50 ms",
        "calls/s",
        "/ dir.",
        "CPU µs",
        "at 50",
        "waits",
        "at 50",
        "RSS MB",
        "ready ms",
        "MB"
    );
    let rows = ways.iter().enumerate().map(|(place, way)| {
        let row = Row { rounds, place };
        let (p50, p50_ratio) = row.both(|it| percentile(&it.one, 50));
        let (p99, p99_ratio) = row.both(|it| percentile(&it.one, 99));
        let (many_p50, _) = row.both(|it| percentile(&it.many, 50));
        let (rate, rate_ratio) = row.both(|it| number(it.many.calls.latencies.len()) / seconds(it.many.calls.took));
        let (cpu, _) = row.both(|it| cpu_of(&it.one));
        let (many_cpu, _) = row.both(|it| cpu_of(&it.many));
        let (waits, _) = row.both(|it| waits_of(&it.one));
        let (many_waits, _) = row.both(|it| waits_of(&it.many));
        let (resident, _) = row.both(|it| number(it.resident) * 1_024.0 / 1e6);
        let (ready, _) = row.both(|it| seconds(it.ready) * 1e3);
        let size = way.size.map(|bytes| number(bytes) / 1e6);
        println!(
            "{:<32}{p50:>8.0} {p50_ratio:>8.2}{p99:>9.0}{p99_ratio:>8.2} |{:>9.2}{rate:>9.0}{rate_ratio:>8.2} |\
             {cpu:>7.0}{many_cpu:>7.0}{waits:>9.1}{many_waits:>7.1} |{resident:>7.1}{ready:>9.0}{:>7}",
            way.title(),
            many_p50 / 1e3,
            size.map_or_else(String::new, |size| format!("{size:.1}")),
        );
        json!({
            "way": way.title(), "version": way.version, "p50_us": p50, "p50_to_direct": p50_ratio, "p99_us": p99,
            "p99_to_direct": p99_ratio, "many_p50_us": many_p50, "many_calls_a_second": rate,
            "many_calls_to_direct": rate_ratio, "cpu_us": cpu, "many_cpu_us": many_cpu, "waits": waits,
            "many_waits": many_waits, "resident_mb": resident, "ready_ms": ready, "executable_mb": size,
        })
    });
    let rows = rows.collect();
    println!(
        "\nMiddle block: 50 calls at a time. CPU, waits (how often a thread of the process waited, for each call) and RSS \
         are of the proxy's process alone, in the direct rows of the server's. Ready: until `initialize` is answered."
    );
    let mut versions: Vec<String> = ways.iter().map(|way| format!("{} {}", way.name, way.version)).collect();
    versions.dedup();
    versions.retain(|version| !version.ends_with(' '));
    if !versions.is_empty() {
        println!("Versions: {}.", versions.join(", "));
    }
    rows
}

/// A way in all rounds.
struct Row<'a> {
    rounds: &'a [Vec<Measured>],
    place: usize,
}

impl Row<'_> {
    /// Returns the median of a figure, and the median of its ratios to the first way, which is direct.
    fn both(&self, figure: impl Fn(&Measured) -> f64) -> (f64, f64) {
        let figures = self.rounds.iter().map(|round| figure(&round[self.place])).collect();
        let ratios = self.rounds.iter().map(|round| figure(&round[self.place]) / figure(&round[0])).collect();
        (median(figures), median(ratios))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns a percentile of the latencies in microseconds.
fn percentile(load: &Load, percent: usize) -> f64 {
    let latencies = &load.calls.latencies;
    seconds(latencies[latencies.len() * percent / 100]) * 1e6
}

/// Returns the microseconds of CPU time of a call.
fn cpu_of(load: &Load) -> f64 {
    seconds(load.usage.cpu) * 1e6 / number(load.calls.latencies.len())
}

/// Returns how often a thread waited for each call.
fn waits_of(load: &Load) -> f64 {
    number(load.usage.waits) / number(load.calls.latencies.len())
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// Converts a count.
fn number(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::INFINITY, f64::from)
}
