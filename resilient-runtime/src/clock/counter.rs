//! The processor's time counter, which is much faster to read than the system clock. It is used if the kernel keeps
//! time with it, as soon as its frequency is known.
//!
//! Each thread synchronizes with the system clock every second. This detects a machine that slept and a counter that is
//! not steady; the counter is not used any more after that.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quanta::Clock;
use tokio::time::Instant;

use super::{saturating_nanos, since_origin};

const SECOND: u64 = 1_000_000_000;
/// The maximum duration in nanoseconds of an uninterrupted reading of both clocks.
const AT_ONCE: u64 = 20_000;

/// A counter with a known frequency.
struct CalibratedClock {
    clock: Clock,
    /// Nanoseconds per count, times 2³².
    scale: u64,
    /// Counts per second.
    second: u64,
    is_steady: AtomicBool,
}

static CALIBRATED: OnceLock<CalibratedClock> = OnceLock::new();

/// Whether the frequency measurement has been started.
static IS_CALIBRATING: AtomicBool = AtomicBool::new(false);

/// A reading of the counter and of the system clock at the same moment.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    raw: u64,
    nanos: u64,
    /// The number of counts for which it is valid: a second, or zero if there is no reading.
    valid: u64,
}

impl Anchor {
    const NONE: Self = Self { raw: 0, nanos: 0, valid: 0 };
}

thread_local! {
    static ANCHOR: Cell<Anchor> = const { Cell::new(Anchor::NONE) };
}

/// Returns nanoseconds since the origin, or `None` if the frequency is not known yet or the counter is unusable.
#[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 instructions more")]
#[inline(always)]
pub(super) fn nanos() -> Option<u64> {
    let Some(known) = CALIBRATED.get() else { return not_calibrated() };
    let (raw, anchor) = (known.clock.raw(), ANCHOR.get());
    let counts = raw.wrapping_sub(anchor.raw);
    if counts < anchor.valid {
        return Some(anchor.nanos + known.nanos(counts));
    }
    known.set_by_the_system((anchor.valid > 0).then_some(anchor))
}

#[cold]
fn not_calibrated() -> Option<u64> {
    if !IS_CALIBRATING.load(Ordering::Relaxed) {
        calibrate();
    }
    None
}

impl CalibratedClock {
    /// Converts counts to nanoseconds, for at most a second.
    const fn nanos(&self, counts: u64) -> u64 {
        counts.wrapping_mul(self.scale) >> 32
    }

    #[cold]
    fn set_by_the_system(&self, before: Option<Anchor>) -> Option<u64> {
        if !self.is_steady.load(Ordering::Relaxed) {
            return None;
        }
        let (anchor, took) = anchor(&self.clock);
        // If the thread was interrupted between the readings, synchronize and judge another time.
        let is_at_once = took < self.second / (SECOND / AT_ONCE);
        ANCHOR.set(if is_at_once { Anchor { valid: self.second, ..anchor } } else { Anchor::NONE });
        if let Some(before) = before.filter(|_| is_at_once) {
            let counted = (u128::from(anchor.raw.wrapping_sub(before.raw)) * u128::from(self.scale)) >> 32;
            let elapsed = u128::from(anchor.nanos.saturating_sub(before.nanos));
            if counted.abs_diff(elapsed) > elapsed / 100 + u128::from(SECOND / 100) {
                self.is_steady.store(false, Ordering::Relaxed);
                ANCHOR.set(Anchor::NONE);
            }
        }
        Some(anchor.nanos)
    }
}

/// Reads both clocks, and the number of counts that this took.
fn anchor(clock: &Clock) -> (Anchor, u64) {
    let raw = clock.raw();
    let nanos = saturating_nanos(since_origin(Instant::now()));
    (Anchor { raw, nanos, valid: 0 }, clock.raw().wrapping_sub(raw))
}

/// Starts the frequency measurement. It takes a tenth of a second, in a separate thread so that no call waits for it.
#[cold]
fn calibrate() {
    if IS_CALIBRATING.swap(true, Ordering::Relaxed) || !kernel_trusts_it() {
        return;
    }
    // Without a thread, the system clock stays in use.
    let _ = std::thread::Builder::new().name("resilient-clock".into()).spawn(|| {
        let clock = Clock::new();
        // The thread may be interrupted between the readings, so take the best of several.
        let anchor = || (0..20).map(|_| anchor(&clock)).min_by_key(|(_, took)| *took).map(|(anchor, _)| anchor);
        let first = anchor();
        std::thread::sleep(Duration::from_millis(100));
        if let (Some(first), Some(then)) = (first, anchor()) {
            let (counts, nanos) = (then.raw.wrapping_sub(first.raw), then.nanos.saturating_sub(first.nanos));
            let ratio = |a: u64, b: u64, by: u64| u64::try_from(u128::from(a) * u128::from(by) / u128::from(b.max(1)));
            if let (Ok(scale), Ok(second)) = (ratio(nanos, counts, 1 << 32), ratio(counts, nanos, SECOND)) {
                let _ = CALIBRATED.set(CalibratedClock { clock, scale, second, is_steady: AtomicBool::new(scale > 0) });
            }
        }
    });
}

/// Returns whether the kernel keeps time with the same counter. It chooses another one if the counter is not steady.
fn kernel_trusts_it() -> bool {
    let chosen = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    chosen.is_ok_and(|chosen| matches!(chosen.trim(), "tsc" | "arch_sys_counter"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Returns `None` if there is no such counter, after reporting that the test was skipped.
    fn known(test: &str) -> Option<&'static CalibratedClock> {
        if !kernel_trusts_it() {
            // Not `eprintln!`, which libtest captures. CI looks for a line with this beginning, and fails if there is
            // one.
            let why = "the kernel does not keep its time by the processor's counter";
            writeln!(std::io::stderr(), "\nSKIPPED: {test}: {why}").expect("stderr");
            return None;
        }
        while CALIBRATED.get().is_none() {
            let _ = nanos();
            std::thread::yield_now();
        }
        CALIBRATED.get()
    }

    fn exact() -> u64 {
        saturating_nanos(since_origin(Instant::now()))
    }

    #[test]
    fn it_keeps_pace_with_the_systems_clock() {
        if known("it_keeps_pace_with_the_systems_clock").is_none() {
            return;
        }
        let began = exact();
        for _ in 0..20 {
            // A reading between two readings of the other clock lies between them, within a thousandth.
            let (before, read, after) = (exact(), nanos(), exact());
            let error = 200_000 + (after - began) / 1_000;
            let read = read.unwrap_or(before);
            assert!(before <= read + error && read <= after + error, "{before} {read} {after}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_counter_that_restarted_or_ran_on_while_the_machine_slept_is_not_used_any_more() {
        let test = "a_counter_that_restarted_or_ran_on_while_the_machine_slept_is_not_used_any_more";
        let Some(real) = known(test) else { return };
        let hour = 3_600 * real.second;
        for raw in [real.clock.raw() + hour, real.clock.raw().wrapping_sub(hour)] {
            let known = CalibratedClock {
                clock: real.clock.clone(),
                scale: real.scale,
                second: real.second,
                is_steady: AtomicBool::new(true),
            };
            let before = exact();
            // The counter is judged only if the readings were not interrupted.
            while known.is_steady.load(Ordering::Relaxed) {
                let reading = known.set_by_the_system(Some(Anchor { raw, nanos: before, valid: 1 }));
                assert!(reading.is_some_and(|reading| (before..=exact()).contains(&reading)), "exact all the same");
            }
            assert_eq!((known.set_by_the_system(None), ANCHOR.get().valid), (None, 0));
        }
    }
}
