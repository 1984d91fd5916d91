//! The states of alerts over scripted and random evaluations.

use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;
use crate::alerting::rules::RULES;
use crate::alerting::{AlertBoard, AlertSeverity};

const STEP: Duration = Duration::from_secs(15);

fn rule(name: &str) -> &'static AlertRule {
    RULES.iter().find(|rule| rule.name == name).expect("a rule of that name")
}

fn of(name: &str, labels: &[(&'static str, &str)], value: f64) -> Finding {
    let labels = labels.iter().map(|(label, value)| (*label, (*value).into())).collect();
    Finding { rule: rule(name), labels, value }
}

fn open(breaker: &str) -> Finding {
    of("ResilientBreakerOpen", &[("breaker", breaker)], 2.0)
}

/// Evaluates every 15 s.
struct Clock {
    machine: Machine,
    start: Instant,
    elapsed: Duration,
}

impl Clock {
    fn new() -> Self {
        Self { machine: Machine::default(), start: Instant::now(), elapsed: Duration::ZERO }
    }

    fn step(&mut self, found: Vec<Finding>) -> Step {
        self.step_after(STEP, found)
    }

    fn step_after(&mut self, time: Duration, found: Vec<Finding>) -> Step {
        self.elapsed += time;
        self.machine.step(self.start + self.elapsed, UNIX_EPOCH + self.elapsed, found)
    }
}

fn kinds(step: &Step) -> Vec<ChangeKind> {
    step.changes.iter().map(|change| change.kind).collect()
}

#[test]
fn an_alert_is_pending_fires_after_its_time_and_is_resolved() {
    let mut clock = Clock::new();
    for seconds in [15, 30, 45, 60] {
        let step = clock.step(vec![open("shop")]);
        assert!(step.changes.is_empty(), "{seconds} s");
        assert_eq!(step.active[0].state, AlertState::Pending);
        assert_eq!(step.active[0].since, UNIX_EPOCH + STEP);
    }
    let step = clock.step(vec![open("shop")]);
    assert_eq!(kinds(&step), [ChangeKind::Fired]);
    let alert = &step.changes[0].alert;
    assert_eq!(
        (alert.name, alert.state, alert.severity),
        ("ResilientBreakerOpen", AlertState::Firing, AlertSeverity::High)
    );
    assert_eq!((&*alert.labels["breaker"], &*alert.summary), ("shop", "The breaker shop is open"));
    assert_eq!((alert.since, alert.ended), (UNIX_EPOCH + STEP * 5, None));
    assert!(clock.step(vec![open("shop")]).changes.is_empty());
    let step = clock.step(Vec::new());
    assert_eq!(kinds(&step), [ChangeKind::Resolved]);
    let alert = &step.changes[0].alert;
    assert_eq!(
        (alert.state, alert.since, alert.ended),
        (AlertState::Resolved, UNIX_EPOCH + STEP * 5, Some(UNIX_EPOCH + STEP * 7))
    );
    assert!(step.active.is_empty() && clock.step(Vec::new()).changes.is_empty());
}

#[test]
fn what_was_only_pending_leaves_nothing_behind() {
    let mut clock = Clock::new();
    for _ in 0..10 {
        for _ in 0..4 {
            assert!(clock.step(vec![open("shop")]).changes.is_empty());
        }
        assert!(clock.step(Vec::new()).changes.is_empty());
    }
    // The first time that it fires is sent, whatever was pending before.
    let fired: Vec<_> = (0..5).flat_map(|_| kinds(&clock.step(vec![open("shop")]))).collect();
    assert_eq!(fired, [ChangeKind::Fired]);
}

#[test]
fn alerts_of_one_name_are_repeated_together_after_the_time_of_their_rule() {
    let mut clock = Clock::new();
    let mut sent = Vec::new();
    for n in 1..=60_u32 {
        let mut found = vec![open("shop")];
        if n > 4 {
            found.push(open("bank"));
        }
        for change in clock.step(found).changes {
            sent.push((n, change.kind, change.alert.labels["breaker"].clone()));
        }
    }
    // Every 5 minutes after the last notification, which the second alert restarts at 9.
    let (shop, bank) = ("shop".to_owned(), "bank".to_owned());
    let both = |n| [(n, ChangeKind::Repeated, bank.clone()), (n, ChangeKind::Repeated, shop.clone())];
    let expected = [(5, ChangeKind::Fired, shop.clone()), (9, ChangeKind::Fired, bank.clone())];
    let mut sorted = sent.clone();
    sorted.sort_by_key(|(n, _, name)| (*n, name.clone()));
    assert_eq!(sorted, [&expected[..], &both(29), &both(49)].concat());
}

#[test]
fn a_pause_of_the_process_is_no_time_for_which_a_condition_has_held() {
    let mut clock = Clock::new();
    clock.step(vec![open("shop")]);
    let step = clock.step_after(Duration::from_secs(3_600), vec![open("shop")]);
    assert_eq!((kinds(&step), step.active[0].state), (vec![], AlertState::Pending));
    assert_eq!(step.active[0].since, UNIX_EPOCH + clock.elapsed);
    assert_eq!((0..4).flat_map(|_| kinds(&clock.step(vec![open("shop")]))).count(), 1);
    // What fired before the pause still fires after it, if its condition holds.
    let step = clock.step_after(Duration::from_secs(3_600), vec![open("shop")]);
    assert_eq!((kinds(&step), step.active[0].state), (vec![ChangeKind::Repeated], AlertState::Firing));
}

#[test]
fn a_suspended_computer_begins_pending_alerts_again_though_its_monotonic_clock_stood_still() {
    let mut machine = Machine::default();
    let (start, night) = (Instant::now(), Duration::from_secs(8 * 3_600));
    machine.step(start, UNIX_EPOCH, vec![open("shop")]);
    machine.step(start + STEP * 3, UNIX_EPOCH + STEP * 3, vec![open("shop")]);
    let morning = UNIX_EPOCH + night;
    for n in 4..8 {
        let step = machine.step(start + STEP * n, morning + STEP * n, vec![open("shop")]);
        assert_eq!((step.active[0].state, step.active[0].since), (AlertState::Pending, morning + STEP * 4));
    }
    assert_eq!(kinds(&machine.step(start + STEP * 8, morning + STEP * 8, vec![open("shop")])), [ChangeKind::Fired]);
}

#[test]
fn a_wall_clock_that_goes_back_does_not_end_an_alert_before_it_began() {
    let mut machine = Machine::default();
    let (start, hour) = (Instant::now(), Duration::from_secs(3_600));
    let at = |n: u32| if n < 6 { UNIX_EPOCH + hour * 2 } else { UNIX_EPOCH + hour };
    for n in 0..6 {
        machine.step(start + STEP * n, at(n), vec![open("shop")]);
    }
    let step = machine.step(start + STEP * 6, at(6), Vec::new());
    let alert = &step.changes[0].alert;
    assert_eq!((alert.since, alert.ended), (UNIX_EPOCH + hour * 2, Some(UNIX_EPOCH + hour * 2)));
}

#[test]
fn a_value_that_is_no_number_is_no_finding() {
    let mut clock = Clock::new();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let found = of("ResilientBreakerOpen", &[("breaker", "shop")], value);
        assert!(clock.step(vec![found]).active.is_empty(), "{value}");
    }
}

#[test]
fn there_are_at_most_a_thousand_alerts_the_most_important_first_and_others_follow() {
    let mut clock = Clock::new();
    let all: Vec<_> = (0..1_500).map(|n| open(&format!("{n}"))).collect();
    for _ in 0..5 {
        let step = clock.step(all.clone());
        assert_eq!((step.active.len(), step.left_out), (1_000, 500));
    }
    let step = clock.step(all[700..].to_vec());
    assert_eq!((step.active.len(), step.left_out, step.changes.len()), (800, 0, 700));
}

#[test]
fn a_board_shows_what_fires_first_by_severity_and_keeps_a_hundred_changes() {
    let board = AlertBoard::default();
    let mut clock = Clock::new();
    let found = || {
        vec![
            of("ResilientErrorRatioRaised", &[], 0.02),
            of("ResilientErrorRatioHigh", &[], 0.5),
            open("shop"),
            of("ResilientLevelNotNormal", &[], 1.0),
        ]
    };
    for n in 0..400 {
        let step = clock.step(if n % 20 < 10 { found() } else { Vec::new() });
        let changes: Vec<_> = step.changes.iter().map(|change| Alert::clone(&change.alert)).collect();
        board.set(step.active.iter().map(|alert| Alert::clone(alert)).collect(), changes);
        if n % 20 == 9 {
            let shown: Vec<_> =
                board.active().iter().map(|alert| (alert.state.as_str(), alert.severity.as_str())).collect();
            assert_eq!(shown, [("firing", "critical"), ("firing", "high"), ("pending", "medium"), ("pending", "low")]);
            assert_eq!(board.firing().len(), 2);
        }
    }
    let changes = board.changes();
    assert_eq!(changes.len(), 80);
    for n in 0..100 {
        let step = clock.step(if n % 20 < 10 { found() } else { Vec::new() });
        board.set(Vec::new(), step.changes.iter().map(|change| Alert::clone(&change.alert)));
    }
    let changes = board.changes();
    assert_eq!((changes.len(), changes[0].state), (100, AlertState::Resolved));
    assert!(changes.is_sorted_by_key(|change| std::cmp::Reverse(change.ended.unwrap_or(change.since))));
}

#[test]
fn values_are_shown_with_three_digits() {
    for (value, unit, expected) in [
        (0.052_63, Unit::Share, "5.26 %"),
        (0.001_44, Unit::Share, "0.144 %"),
        (1.0, Unit::Share, "100 %"),
        (0.5, Unit::Share, "50 %"),
        (4.75, Unit::Seconds, "4.75 s"),
        (123.4, Unit::Seconds, "123 s"),
        (1.333_3, Unit::Times, "1.33 times"),
        (101.0, Unit::Count, "101"),
        (0.0, Unit::Share, "0 %"),
    ] {
        assert_eq!(shown(value, unit), expected);
    }
}

/// For each evaluation: the time since the one before, and which of three conditions hold.
fn script() -> impl Strategy<Value = Vec<(u64, [bool; 3])>> {
    let holds = || prop::bool::weighted(0.85);
    prop::collection::vec((1_u64..=60, [holds(), holds(), holds()]), 1..300)
}

proptest! {
    /// Against the definition: an alert fires at the first evaluation at which its condition has held without interruption
    /// for the time of its rule, is repeated in between, and is resolved at the first at which it does not hold.
    #[test]
    fn any_history_fires_when_it_should_and_only_then(script in script()) {
        let found = [
            open("shop"),
            of("ResilientErrorRatioHigh", &[], 0.5),
            of("ResilientErrorsCritical", &[("tool", "list"), ("code", "DOWN")], 200.0),
        ];
        let mut clock = Clock::new();
        let mut began = [None; 3];
        let mut sent: [Option<Duration>; 3] = [None; 3];
        for (seconds, holds) in script {
            let here: Vec<_> = found.iter().zip(holds).filter(|(_, holds)| *holds).map(|(found, _)| found.clone()).collect();
            let expected_active = here.len();
            let step = clock.step_after(Duration::from_secs(seconds), here);
            prop_assert_eq!(step.active.len(), expected_active);
            for (index, finding) in found.iter().enumerate() {
                let rule = finding.rule;
                let changed: Vec<_> =
                    step.changes.iter().filter(|change| change.alert.name == rule.name).map(|change| change.kind).collect();
                let expected = if holds[index] {
                    let since = *began[index].get_or_insert(clock.elapsed);
                    match sent[index] {
                        None if clock.elapsed.saturating_sub(since) >= rule.hold => Some(ChangeKind::Fired),
                        Some(last) if clock.elapsed.saturating_sub(last) >= rule.repeat => Some(ChangeKind::Repeated),
                        _ => None,
                    }
                } else {
                    began[index] = None;
                    sent[index].take().map(|_| ChangeKind::Resolved)
                };
                if matches!(expected, Some(ChangeKind::Fired | ChangeKind::Repeated)) {
                    sent[index] = Some(clock.elapsed);
                }
                prop_assert_eq!(changed, expected.into_iter().collect::<Vec<_>>());
                let state = step.active.iter().find(|alert| alert.name == rule.name).map(|alert| alert.state);
                let fires = if sent[index].is_some() { AlertState::Firing } else { AlertState::Pending };
                prop_assert_eq!(state, holds[index].then_some(fires));
            }
            for alert in step.active.iter().chain(step.changes.iter().map(|change| &change.alert)) {
                prop_assert!(alert.value.is_finite() && alert.ended.is_none_or(|ended| ended >= alert.since));
                prop_assert_eq!(alert.ended.is_some(), alert.state == AlertState::Resolved);
            }
        }
    }
}
