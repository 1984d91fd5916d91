//! The trends of random errors, compared with a list of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use resilient_policy::{ErrorKind, Severity};
use tokio::time::advance;

use super::*;
use crate::clock::Moment;

const TOOLS: [&str; 2] = ["read", "write"];
const CODES: [(&str, ErrorKind); 3] =
    [("DOWN", ErrorKind::Unavailable), ("FULL", ErrorKind::Overloaded), ("DOWN", ErrorKind::Internal)];
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

#[derive(Debug, Clone)]
enum Step {
    Errors { tool: usize, code: usize, count: u64 },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let errors = (0..TOOLS.len(), 0..CODES.len(), 1_u64..25);
    prop_oneof![
        4 => errors.prop_map(|(tool, code, count)| Step::Errors { tool, code, count }),
        3 => (0..20 * MINUTE).prop_map(Step::Wait),
        2 => (0..3 * HOUR).prop_map(Step::Wait),
        1 => (0..30 * HOUR).prop_map(Step::Wait),
    ]
}

/// All errors: when each occurred, in seconds of the clock, its tool and its code.
#[derive(Default)]
struct Events(Vec<(u64, &'static str, &'static str)>);

impl Events {
    /// Returns the number of errors of a tool with a code whose time is accepted.
    fn count(&self, of: (&str, &str), is_in_time: impl Fn(u64) -> bool) -> u64 {
        self.0.iter().map(|(at, tool, code)| u64::from((*tool, *code) == of && is_in_time(*at))).sum()
    }
}

/// What a trend should be, as the definition says it.
fn name(last_hour: u64, hour_before: u64) -> &'static str {
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    let (last, before) = (last_hour as f64, hour_before as f64);
    match () {
        () if last >= 10.0 && last > before * 1.5 => "rising",
        () if before >= 10.0 && last < before * 0.5 => "falling",
        () => "steady",
    }
}

fn assert_trends(registry: &Registry, events: &Events) -> Result<(), TestCaseError> {
    let now = Moment::now().seconds();
    // The end of the five minutes that have begun.
    let end = (now / 300 + 1) * 300;
    let trends = registry.error_trends();
    let counts: Vec<_> = trends.iter().map(|trend| trend.last_24_hours).collect();
    prop_assert!(counts.is_sorted_by(|more, less| more >= less), "{:?}", counts);
    let mut found: BTreeMap<_, _> = trends.iter().map(|trend| ((&*trend.tool, &*trend.code), trend)).collect();
    prop_assert_eq!(found.len(), trends.len());
    let all: BTreeSet<_> = events.0.iter().map(|(_, tool, code)| (*tool, *code)).collect();
    for of in all {
        let hours: Vec<u64> = (0..24).rev().map(|hour| events.count(of, |at| (end - at - 1) / HOUR == hour)).collect();
        let day: u64 = hours.iter().sum();
        let Some(trend) = found.remove(&of) else {
            prop_assert_eq!(day, 0, "{:?} has no trend", of);
            continue;
        };
        prop_assert_eq!(&trend.hours[..], &hours);
        let [.., before, last] = trend.hours;
        prop_assert_eq!((trend.last_hour, trend.hour_before, trend.last_24_hours), (last, before, day));
        prop_assert_eq!(trend.trend.as_str(), name(last, before));
        let younger = |age: u64| events.count(of, |at| now - at < age);
        prop_assert!(younger(55 * MINUTE) <= last && last <= younger(HOUR));
        prop_assert!(younger(DAY - 5 * MINUTE) <= day && day <= younger(DAY));
    }
    prop_assert!(found.is_empty(), "{:?}", found);
    for tool in TOOLS {
        let mut sum = [0; 24];
        for trend in trends.iter().filter(|trend| &*trend.tool == tool) {
            sum.iter_mut().zip(trend.hours).for_each(|(sum, hour)| *sum += hour);
        }
        prop_assert_eq!(registry.errors_by_hour(tool), sum);
    }
    Ok(())
}

fn fail(registry: &Registry, tool: &str, (code, kind): (&str, ErrorKind), times: u64) {
    let statistics = registry.statistics(tool);
    (0..times).for_each(|_| drop(statistics.failed(code, kind, Severity::Low)));
}

proptest! {
    #[test]
    fn the_trends_of_random_errors_are_those_of_a_list_of_them(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let (registry, mut events) = (Registry::new(), Events::default());
            for step in steps {
                match step {
                    Step::Wait(seconds) => advance(Duration::from_secs(seconds)).await,
                    Step::Errors { tool, code, count } => {
                        fail(&registry, TOOLS[tool], CODES[code], count);
                        let event = (Moment::now().seconds(), TOOLS[tool], CODES[code].0);
                        events.0.extend((0..count).map(|_| event));
                    }
                }
                assert_trends(&registry, &events)?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_day_empties_all_hours_and_not_the_groups() {
    let registry = Registry::new();
    fail(&registry, "read", CODES[0], 7);
    #[cfg(feature = "rmcp")]
    drop(registry.request_statistics("resources/read").failed("DOWN", ErrorKind::Unavailable, Severity::Low));
    let groups = registry.error_groups();
    for _ in 0..23 {
        advance(Duration::from_secs(HOUR)).await;
        assert_eq!(registry.error_trends().len(), groups.len());
    }
    advance(Duration::from_secs(HOUR)).await;
    assert_eq!((registry.error_trends(), registry.errors_by_hour("read")), (Vec::new(), [0; 24]));
    assert_eq!(registry.error_groups(), groups);
    fail(&registry, "read", CODES[0], 1);
    assert_eq!(registry.error_trends()[0].hours.iter().sum::<u64>(), 1, "what was counted before is gone");
}

#[tokio::test(start_paused = true)]
async fn after_a_jump_of_hours_errors_are_in_the_hours_in_which_they_occurred() {
    let registry = Registry::new();
    for jump in [0, 1, 7, 11] {
        advance(Duration::from_secs(jump * HOUR)).await;
        fail(&registry, "read", CODES[0], 10 + jump);
        assert_eq!(registry.errors_by_hour("read")[23], 10 + jump);
    }
    let mut hours = [0; 24];
    (hours[23], hours[12], hours[5], hours[4]) = (21, 17, 11, 10);
    assert_eq!(registry.errors_by_hour("read"), hours);
    advance(Duration::from_secs(10 * DAY * 365)).await;
    assert_eq!(registry.errors_by_hour("read"), [0; 24]);
}

#[cfg(feature = "rmcp")]
#[tokio::test(start_paused = true)]
async fn other_requests_have_trends_by_method() {
    let registry = Registry::new();
    let statistics = registry.request_statistics("resources/read");
    (0..12).for_each(|_| drop(statistics.failed("DOWN", ErrorKind::Unavailable, Severity::Low)));
    fail(&registry, "read", CODES[1], 3);
    let trends = registry.error_trends();
    let read: Vec<_> = trends.iter().map(|trend| (&*trend.tool, trend.trend.as_str(), trend.last_hour)).collect();
    assert_eq!(read, [("resources/read", "rising", 12), ("read", "steady", 3)]);
    assert_eq!(registry.errors_by_hour("resources/read")[22..], [0, 12]);
    assert_eq!(registry.errors_by_hour("prompts/get"), [0; 24]);
}
