//! The conditions over scripted samples.

use std::collections::BTreeMap;

use super::*;
use crate::alerts::counter::Counter;
use crate::alerts::sample::{BreakerSample, Sample, ToolSample};

const STEP: Duration = Duration::from_secs(15);

/// Samples every 15 s, which begin with an empty one.
struct Script {
    history: History,
    now: Instant,
    calls: [u64; 3],
    errors: u64,
    durations: [u64; BUCKETS],
    breaker: [u64; 4],
    state: BreakerState,
    other: Sample,
}

impl Script {
    fn new() -> Self {
        let mut script = Self {
            history: History::default(),
            now: Instant::now(),
            calls: [0; 3],
            errors: 0,
            durations: [0; BUCKETS],
            breaker: [0; 4],
            state: BreakerState::Closed,
            other: Sample::default(),
        };
        script.step();
        script
    }

    /// Adds a sample, and returns the names of the rules whose conditions hold.
    fn step(&mut self) -> Vec<&'static str> {
        self.now += STEP;
        let Sample { waiting, places, refused, dead, level, memory, .. } = self.other;
        let tool =
            ToolSample { name: "list".into(), durations: self.durations, timeout: Some(Duration::from_secs(10)) };
        let errors = [(("list".into(), "DOWN".into()), self.errors)].into();
        let breakers = vec![BreakerSample { name: "shop", state: self.state, counts: self.breaker }];
        let sample = Sample {
            calls: self.calls,
            tools: vec![tool],
            errors,
            breakers,
            waiting,
            places,
            refused,
            dead,
            level,
            memory,
        };
        self.history.add(self.now, sample);
        let found = all(&self.history, self.now);
        assert!(found.iter().all(|finding| finding.value.is_finite()), "{found:?}");
        found.iter().map(|finding| finding.rule.name).collect()
    }

    /// Calls between two samples, of which some fail.
    fn calls(&mut self, ran: u64, failed: u64) -> Vec<&'static str> {
        for (total, more) in self.calls.iter_mut().zip([ran, ran, failed]) {
            *total += more;
        }
        self.errors += failed;
        self.step()
    }

    fn value(&self, name: &str) -> Option<f64> {
        all(&self.history, self.now).iter().find(|finding| finding.rule.name == name).map(|finding| finding.value)
    }
}

#[test]
fn an_error_ratio_needs_enough_calls_and_is_that_of_five_minutes() {
    let mut script = Script::new();
    assert!(script.calls(19, 19).iter().all(|name| !name.contains("Ratio")));
    assert!(script.calls(1, 0).contains(&"ResilientErrorRatioHigh"));
    assert_eq!(script.value("ResilientErrorRatioHigh"), Some(0.95));
    // 5 % are not more than 5 %.
    let mut script = Script::new();
    assert!(!script.calls(100, 5).contains(&"ResilientErrorRatioHigh"));
    assert!(script.calls(100, 6).contains(&"ResilientErrorRatioHigh"));
    let mut script = Script::new();
    script.calls(100, 100);
    let holds: Vec<_> = (0..30).map(|_| script.calls(1, 0).contains(&"ResilientErrorRatioHigh")).collect();
    assert_eq!(holds.iter().filter(|holds| **holds).count(), 19);
}

#[test]
fn what_was_counted_before_the_first_sample_does_not_count() {
    let mut history = History::default();
    let now = Instant::now();
    let sample = || Sample {
        calls: [1_000; 3],
        errors: [(("list".into(), "DOWN".into()), 1_000)].into(),
        breakers: vec![BreakerSample { name: "shop", state: BreakerState::Closed, counts: [0, 1_000, 1_000, 0] }],
        refused: 1_000,
        ..Sample::default()
    };
    history.add(now, sample());
    assert!(all(&history, now).is_empty());
    history.add(now + STEP, Sample { calls: [1_001, 1_001, 1_000], ..sample() });
    assert!(all(&history, now + STEP).is_empty());
}

#[test]
fn a_server_that_is_idle_after_an_outage_has_no_alerts_about_calls() {
    let mut script = Script::new();
    let mut names = Vec::new();
    for _ in 0..40 {
        names = script.calls(30, 30);
    }
    for name in ["ErrorRatioHigh", "ErrorRatioRaised", "ErrorsCritical", "ErrorsHigh", "ErrorsMedium", "BurnRateFast"] {
        assert!(names.contains(&&*format!("Resilient{name}")), "{name}: {names:?}");
    }
    // The longest window of traffic is half of half an hour.
    let idle: Vec<_> = (0..70).map(|_| script.step()).collect();
    assert!(idle[2].contains(&"ResilientErrorRatioHigh") && !idle[3].contains(&"ResilientErrorRatioHigh"));
    assert!(idle[58].contains(&"ResilientErrorsMedium") && idle[60].is_empty(), "{idle:?}");
}

#[test]
fn errors_are_those_of_an_hour() {
    let mut script = Script::new();
    script.calls(11, 11);
    let mut held = 0;
    while script.calls(1, 0).contains(&"ResilientErrorsMedium") {
        held += 1;
    }
    assert_eq!(held, 239);
}

#[test]
fn a_burn_rate_needs_both_windows() {
    let mut script = Script::new();
    assert!(script.calls(500, 10).contains(&"ResilientBurnRateFast"));
    assert_eq!(script.value("ResilientBurnRateFast"), Some(0.02));
    // After five minutes without errors the short window is below.
    for _ in 0..20 {
        script.calls(1, 0);
    }
    assert!(!script.calls(1, 0).contains(&"ResilientBurnRateFast"));
    let mut script = Script::new();
    assert!(!script.calls(500, 9).contains(&"ResilientBurnRateFast"));
}

#[test]
fn a_breaker_alerts_while_it_is_open_and_needed() {
    const NAME: &str = "ResilientBreakerOpen";
    let mut script = Script::new();
    script.state = BreakerState::Open;
    assert!(!script.step().contains(&NAME));
    script.breaker[2] += 1;
    assert!(script.step().contains(&NAME));
    // Without traffic for 45 s it is over.
    let idle: Vec<_> = (0..4).map(|_| script.step().contains(&NAME)).collect();
    assert_eq!(idle, [true, true, false, false]);
    // A probe that is under way after a failed one does not end it, a first one does.
    for (state, reopened, expected) in [
        (BreakerState::HalfOpen, 0, false),
        (BreakerState::Open, 0, true),
        (BreakerState::HalfOpen, 1, true),
        (BreakerState::Isolated, 0, true),
        (BreakerState::Closed, 0, false),
    ] {
        script.state = state;
        script.breaker[2] += 1;
        script.breaker[3] += reopened;
        assert_eq!(script.step().contains(&NAME), expected, "{state:?}");
    }
}

#[test]
fn a_dependency_fails_by_the_results_of_its_breaker() {
    const NAME: &str = "ResilientDependencyErrorRatioHigh";
    let mut script = Script::new();
    script.breaker = [18, 2, 20, 0];
    assert!(!script.calls(1, 0).contains(&NAME));
    script.breaker = [18, 3, 21, 0];
    assert!(script.calls(1, 0).contains(&NAME));
    let found = all(&script.history, script.now);
    let labels = &found.iter().find(|finding| finding.rule.name == NAME).expect("a finding").labels;
    assert_eq!(*labels, [("breaker", "shop".into())]);
}

#[test]
fn percentiles_are_those_of_prometheus() {
    let mut buckets = [0; BUCKETS];
    assert!(percentile(&buckets, 0.95).abs() < f64::EPSILON);
    // `histogram_quantile(0.95, ..)` of 90 below 10 ms and 10 between 5 and 10 s: 5 + 5 * (95 - 90) / 10.
    (buckets[0], buckets[9]) = (90, 10);
    assert!((percentile(&buckets, 0.95) - 7.5).abs() < 1e-9);
    assert!((percentile(&buckets, 0.45) - 0.005).abs() < 1e-9);
    // Beyond the last edge it is that edge.
    buckets[BUCKETS - 1] = 1_000;
    assert!((percentile(&buckets, 0.99) - 300.0).abs() < 1e-9);
    let only_last = std::array::from_fn(|bucket| u64::from(bucket == BUCKETS - 1));
    assert!((percentile(&only_last, 0.5) - 300.0).abs() < 1e-9);
}

#[test]
fn slow_calls_are_measured_against_the_timeout_of_their_tool_and_against_five_seconds() {
    let mut script = Script::new();
    // All between 5 and 10 s: the 95th percentile is 9.75 s, the 99th is 9.95 s.
    script.durations[9] = 19;
    assert!(script.calls(1, 0).is_empty());
    script.durations[9] = 20;
    assert_eq!(script.calls(1, 0), ["ResilientSlowP95"]);
    script.durations[9] = 100;
    assert_eq!(script.calls(1, 0), ["ResilientSlowP95", "ResilientSlowP99"]);
    assert_eq!(script.value("ResilientSlowP99"), Some(9.95));
}

#[test]
fn the_state_of_the_server_needs_no_calls() {
    let mut script = Script::new();
    script.other = Sample { memory: Some(0.86), dead: 3, level: Level::Degraded, refused: 11, ..Sample::default() };
    let names = script.step();
    for name in ["MemoryHigh", "DeadLetters", "LevelNotNormal", "AccessRefused"] {
        assert!(names.contains(&&*format!("Resilient{name}")), "{name}: {names:?}");
    }
    assert_eq!(script.value("ResilientDeadLetters"), Some(3.0));
    // More than 10 within 10 minutes, and not 10.
    let held = (0..60).filter(|_| script.step().contains(&"ResilientAccessRefused")).count();
    assert_eq!(held, 39);
    script.other.refused += 10;
    assert!(!script.step().contains(&"ResilientAccessRefused"));
}

#[test]
fn a_queue_grows_by_a_hundred_or_by_half_of_its_places() {
    let mut script = Script::new();
    script.other.waiting = 100;
    assert!(script.step().is_empty());
    for (places, growth, expected) in
        [(0, 101, true), (40, 20, false), (40, 21, true), (1_000, 100, false), (1_000, 101, true)]
    {
        let mut script = Script::new();
        (script.other.places, script.other.waiting) = (places, growth);
        assert_eq!(script.step().contains(&"ResilientQueueGrowing"), expected, "{growth} of {places}");
    }
}

#[test]
fn the_history_of_many_tools_is_bounded() {
    let mut history = History::default();
    let mut now = Instant::now();
    let (mut count, names): (u64, Vec<Arc<str>>) = (0, (0..3_000).map(|n| format!("tool-{n}").into()).collect());
    for _ in 0..300 {
        now += STEP;
        count += 1;
        let tool = |name: &Arc<str>| ToolSample { name: Arc::clone(name), durations: [count; BUCKETS], timeout: None };
        let errors: BTreeMap<_, _> = names.iter().map(|name| ((Arc::clone(name), "DOWN".into()), count)).collect();
        let tools = names.iter().map(tool).collect();
        history.add(now, Sample { calls: [count; 3], tools, errors, ..Sample::default() });
    }
    let used = |lengths: &mut dyn Iterator<Item = usize>| lengths.filter(|length| *length > 0).count();
    assert_eq!(used(&mut history.errors.values().map(Counter::kept)), 1_000);
    assert_eq!(used(&mut history.tools.values().map(|tool| tool.durations.kept())), 1_000);
    assert!(history.is_full());
    let kept = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
    assert_eq!(kept(&mut history.errors.values().map(Counter::kept)), 240);
    assert_eq!(kept(&mut history.tools.values().map(|tool| tool.durations.kept())), 40);
    assert_eq!(
        all(&history, now).iter().filter(|finding| finding.rule.name == "ResilientErrorsCritical").count(),
        1_000
    );
}

#[test]
fn codes_without_errors_for_an_hour_make_room_for_others() {
    let (mut history, mut now) = (History::default(), Instant::now());
    history.add(now, Sample::default());
    let key = |n: u32| (Arc::from("list"), Arc::from(format!("CODE_{n:05}")));
    let mut errors: BTreeMap<(Arc<str>, Arc<str>), u64> = (0..1_000).map(|n| (key(n), 20)).collect();
    let add = |history: &mut History, now: Instant, errors: &BTreeMap<_, _>| {
        history.add(now, Sample { errors: errors.clone(), ..Sample::default() });
    };
    now += STEP;
    add(&mut history, now, &errors);
    assert!(!history.is_full());
    let late = key(20_000);
    errors.insert(late.clone(), 20);
    now += STEP;
    add(&mut history, now, &errors);
    assert_eq!((history.is_full(), history.errors[&late].kept()), (true, 0));
    // An hour later there is room, and only what was added since then counts.
    now += Duration::from_secs(3_600);
    *errors.get_mut(&late).expect("the code") += 5;
    add(&mut history, now, &errors);
    assert_eq!((history.is_full(), history.errors[&late].within(now, Duration::from_secs(60))), (false, [5]));
    assert_eq!(history.errors[&key(0)].kept(), 0);
}
