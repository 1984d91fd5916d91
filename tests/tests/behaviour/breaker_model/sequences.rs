//! The sequences and settings of the model tests.

use std::time::Duration;

use proptest::prelude::*;
use resilient_runtime::policy::{BreakerSettings, Window};

use super::{End, LONGEST, STEP_MS, Step, WINDOW_STEPS};

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = || {
        prop_oneof![
            4 => Just(End::Good),
            5 => Just(End::Failed),
            1 => Just(End::CallersMistake),
            1 => Just(End::Panicked),
            1 => Just(End::Dropped),
        ]
    };
    let step = prop_oneof![
        30 => Just(Step::Acquire),
        50 => end().prop_map(Step::Call),
        25 => Just(Step::Start),
        50 => (any::<prop::sample::Index>(), end()).prop_map(|(which, end)| Step::End(which, end)),
        35 => (1..=6_u64, prop::bool::weighted(0.8)).prop_map(|(steps, polls)| Step::Advance(steps, polls)),
        2 => (9..=11_u64, any::<bool>()).prop_map(|(steps, polls)| Step::Advance(steps, polls)),
        1 => Just(Step::Advance(10_000_000, true)),
        4 => Just(Step::Arm),
        2 => Just(Step::Isolate),
        2 => Just(Step::Open),
        4 => Just(Step::Close),
    ];
    prop::collection::vec(step, 1..LONGEST)
}

pub(super) fn base() -> impl Strategy<Value = BreakerSettings> {
    (1..=4_u32, 1..=3_u32, 1..=3_u32, 1..=12_u64).prop_map(|(failures, probes, successes, open)| {
        let open = Duration::from_millis(open * STEP_MS);
        BreakerSettings::new().failures(failures).probes(probes).successes(successes).open(open)
    })
}

pub(super) fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.01), Just(0.1), Just(0.3), Just(0.5), Just(0.67), Just(0.7), Just(0.9), Just(1.0)]
}

pub(super) fn count_window() -> impl Strategy<Value = (Window, Option<u32>)> {
    (1..=8_u32).prop_flat_map(|size| (Just(Window::Count(size)), prop::option::weighted(0.8, 1..=size)))
}

pub(super) fn time_window() -> impl Strategy<Value = (Window, Option<u32>)> {
    (Just(Window::Time(Duration::from_millis(STEP_MS * WINDOW_STEPS))), prop::option::weighted(0.95, 1..=5_u32))
}

pub(super) fn with_window(
    base: BreakerSettings,
    rate: Option<f64>,
    slow: Option<(u64, f64)>,
    (window, min_calls): (Window, Option<u32>),
) -> BreakerSettings {
    let mut settings = base.window(window);
    settings.rate = rate;
    settings.min_calls = min_calls;
    if let Some((steps, slow_rate)) = slow {
        settings = settings.slow(Duration::from_millis(steps * STEP_MS)).slow_rate(slow_rate);
    }
    settings
}

pub(super) fn slow() -> impl Strategy<Value = (u64, f64)> {
    (1..=5_u64, rate())
}
