//! The breaker against a model of it that is plain, slow and obvious: after each step of a random
//! sequence both must say the same.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestCaseResult, TestRunner};
use resilient_runtime::BreakerState::{self, Closed, HalfOpen, Isolated, Open};
use resilient_runtime::{Breaker, BreakerSettings, McpError, Permit, Reason, ResilienceError, Window};

/// Everything happens at a multiple of this: it is the step of the time windows here, and whether
/// a result has left one is a matter of whole steps.
const STEP_MS: u64 = 100;
const WINDOW_STEPS: u64 = 10;

const CASES: u32 = 700;
const LONGEST: usize = 70;

/// One step of a sequence.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Asks for a permit and keeps it.
    Acquire,
    /// Calls what is ready at once.
    Call(End),
    /// Calls what goes on running.
    Start,
    /// Ends one of the permits or calls that are kept.
    End(prop::sample::Index, End),
    /// Lets so many window steps pass. Whether the running calls are polled then.
    Advance(u64, bool),
    Isolate,
    Open,
    Close,
}

/// How an execution ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Good,
    Failed,
    CallersMistake,
    Panicked,
    Dropped,
}

/// A transition, and why.
type Move = (BreakerState, BreakerState, Reason);

// ---- the model ----

#[derive(Debug)]
struct Model {
    settings: BreakerSettings,
    now: u64,
    state: BreakerState,
    /// Grows whenever what is out becomes stale.
    epoch: u32,
    /// When the open period, or the probes' lease, is over.
    until: u64,
    failures_in_a_row: u32,
    good_probes: u32,
    running_probes: u32,
    results: Vec<Kept>,
    numbered: u32,
    told: Vec<Move>,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    successes: u64,
    failures: u64,
    neutral: u64,
    rejected: u64,
    stale: u64,
}

/// A result in the window.
#[derive(Debug, Clone, Copy)]
struct Kept {
    number: u32,
    at: u64,
    failed: bool,
    slow: bool,
}

/// What the model knows of an execution that was let through.
#[derive(Debug, Clone, Copy)]
struct Execution {
    epoch: u32,
    started: u64,
    /// Whether it was seen to be slow while it ran.
    seen_slow: bool,
    /// The result that says so, if one does.
    says_slow: Option<u32>,
}

impl Model {
    fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            now: 0,
            state: Closed,
            epoch: 0,
            until: 0,
            failures_in_a_row: 0,
            good_probes: 0,
            running_probes: 0,
            results: Vec::new(),
            numbered: 0,
            told: Vec::new(),
            counts: Counts::default(),
        }
    }

    fn go(&mut self, to: BreakerState, reason: Reason) {
        if self.state != to {
            self.told.push((self.state, to, reason));
        }
        self.state = to;
        self.epoch += 1;
        self.until = self.now + millis(self.settings.open);
        self.failures_in_a_row = 0;
        self.good_probes = 0;
        self.running_probes = 0;
        self.results.clear();
    }

    fn by_hand(&mut self, to: BreakerState, reason: Reason) {
        if self.state != to || to == Open {
            self.go(to, reason);
        }
    }

    /// A permit, or for how long there is none.
    fn admit(&mut self) -> Result<Execution, Option<u64>> {
        let is_over = self.until <= self.now;
        match self.state {
            Closed => {}
            Isolated => return self.reject(None),
            HalfOpen if self.running_probes < self.settings.probes => {
                self.until = self.now + millis(self.settings.open);
                self.running_probes += 1;
            }
            Open | HalfOpen if is_over => {
                self.go(HalfOpen, Reason::Probing);
                self.running_probes = 1;
            }
            Open | HalfOpen => return self.reject(Some(self.until - self.now)),
        }
        Ok(Execution { epoch: self.epoch, started: self.now, seen_slow: false, says_slow: None })
    }

    fn reject(&mut self, wait: Option<u64>) -> Result<Execution, Option<u64>> {
        self.counts.rejected += 1;
        Err(wait)
    }

    /// A running call is looked at.
    fn look(&mut self, execution: &mut Execution) {
        if !execution.seen_slow && self.is_slow(execution) {
            execution.seen_slow = true;
            if self.state == Closed && execution.epoch == self.epoch {
                execution.says_slow = Some(self.keep(false, true));
                self.trip();
            }
        }
    }

    fn is_slow(&self, execution: &Execution) -> bool {
        self.settings.slow.is_some_and(|slow| self.now - execution.started >= millis(slow))
    }

    fn end(&mut self, execution: Execution, end: End) {
        let slow = self.is_slow(&execution);
        match end {
            End::Good => self.counts.successes += 1,
            End::Failed => self.counts.failures += 1,
            End::CallersMistake | End::Panicked | End::Dropped => self.counts.neutral += 1,
        }
        if execution.epoch != self.epoch {
            self.counts.stale += 1;
            return;
        }
        let failed = end == End::Failed;
        match (self.state, end) {
            (Closed, End::Good | End::Failed) => {
                if self.settings.has_window() {
                    match self.results_that_count().iter().find(|kept| Some(kept.number) == execution.says_slow) {
                        Some(kept) => {
                            let number = kept.number;
                            let kept = self.results.iter_mut().find(|kept| kept.number == number);
                            kept.expect("it was just found").failed = failed;
                        }
                        None => {
                            self.keep(failed, slow);
                        }
                    }
                    if self.trip() {
                        return;
                    }
                }
                if self.settings.rate.is_none() {
                    self.failures_in_a_row = if failed { self.failures_in_a_row + 1 } else { 0 };
                    if self.failures_in_a_row == self.settings.failures {
                        self.go(Open, Reason::Failures);
                    }
                }
            }
            (HalfOpen, End::Failed) => self.go(Open, Reason::Failures),
            (HalfOpen, End::Good) if slow => self.go(Open, Reason::Slow),
            (HalfOpen, End::Good) => {
                self.running_probes -= 1;
                self.good_probes += 1;
                if self.good_probes == self.settings.successes {
                    self.go(Closed, Reason::Recovered);
                }
            }
            (HalfOpen, _) => self.running_probes -= 1,
            (Closed | Open | Isolated, _) => {}
        }
    }

    fn keep(&mut self, failed: bool, slow: bool) -> u32 {
        self.numbered += 1;
        self.results.push(Kept { number: self.numbered, at: self.now, failed, slow });
        self.numbered
    }

    fn results_that_count(&self) -> Vec<Kept> {
        match self.settings.window {
            Window::Count(size) => {
                let skipped = self.results.len().saturating_sub(size as usize);
                self.results[skipped..].to_vec()
            }
            Window::Time(_) => {
                let step = |at: u64| at / STEP_MS;
                self.results.iter().copied().filter(|kept| step(self.now) - step(kept.at) < WINDOW_STEPS).collect()
            }
        }
    }

    fn totals(&self) -> (u32, u32, u32) {
        let results = self.results_that_count();
        let count =
            |which: fn(&Kept) -> bool| u32::try_from(results.iter().filter(|kept| which(kept)).count()).unwrap();
        (count(|_| true), count(|kept| kept.failed), count(|kept| kept.slow))
    }

    fn trip(&mut self) -> bool {
        let (all, failed, slow) = self.totals();
        let reaches = |count: u32, rate: f64| count * 100 >= percent(rate) * all;
        let is_failing = self.settings.rate.is_some_and(|rate| reaches(failed, rate));
        let is_slow = self.settings.slow.is_some() && reaches(slow, self.settings.slow_rate);
        let trips = all >= self.settings.min_calls_that_hold() && (is_failing || is_slow);
        if trips {
            self.go(Open, if is_failing { Reason::Failures } else { Reason::Slow });
        }
        trips
    }

    fn said(&self) -> Said {
        Said {
            state: self.state,
            remaining: match self.state {
                Open => Some(self.until.saturating_sub(self.now)),
                HalfOpen if self.running_probes > 0 => Some(self.until.saturating_sub(self.now)),
                Closed | HalfOpen | Isolated => None,
            },
            failures_in_a_row: self.failures_in_a_row,
            window: (self.state == Closed && self.settings.has_window()).then(|| self.totals()),
            probes: self.running_probes,
            told: self.told[self.told.len().saturating_sub(100)..].to_vec(),
            counts: self.counts,
        }
    }
}

// ---- the real one ----

/// What can be seen of a breaker.
#[derive(Debug, PartialEq)]
struct Said {
    state: BreakerState,
    remaining: Option<u64>,
    failures_in_a_row: u32,
    window: Option<(u32, u32, u32)>,
    probes: u32,
    told: Vec<Move>,
    counts: Counts,
}

impl Said {
    fn by(breaker: &Breaker) -> Self {
        let read = breaker.snapshot();
        assert_eq!((read.state, read.remaining), (breaker.state(), breaker.remaining()));
        Self {
            state: read.state,
            remaining: read.remaining.map(millis),
            failures_in_a_row: read.consecutive_failures,
            window: read.window,
            probes: read.probes,
            told: read.transitions.iter().map(|told| (told.from, told.to, told.reason)).collect(),
            counts: Counts {
                successes: read.successes,
                failures: read.failures,
                neutral: read.neutral,
                rejected: read.rejected,
                stale: read.stale,
            },
        }
    }
}

#[derive(Debug, PartialEq, thiserror::Error, McpError)]
enum Error {
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error("wrong")]
    #[mcp(kind = not_found)]
    CallersMistake,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

type Answer = Result<(), Error>;

/// Something that was let through.
enum Held<'b> {
    Permit(Permit<'b>),
    Call { ends: Rc<Cell<Option<End>>>, future: Pin<Box<dyn Future<Output = Answer> + 'b>> },
}

impl<'b> Held<'b> {
    fn start(breaker: &'b Breaker, ends: Option<End>) -> Self {
        let ends = Rc::new(Cell::new(ends));
        let seen = Rc::clone(&ends);
        let body = std::future::poll_fn(move |_| match seen.get() {
            None => Poll::Pending,
            Some(End::Good) => Poll::Ready(Ok(())),
            Some(End::Failed) => Poll::Ready(Err(Error::Down)),
            Some(End::CallersMistake) => Poll::Ready(Err(Error::CallersMistake)),
            Some(End::Panicked | End::Dropped) => resume_unwind(Box::new("on purpose")),
        });
        Self::Call { ends, future: Box::pin(breaker.call(body)) }
    }

    /// The answer, if it has one; an answer of nothing is a panic.
    fn poll(&mut self) -> Poll<Option<Answer>> {
        match self {
            Self::Permit(_) => Poll::Pending,
            Self::Call { future, .. } => {
                let mut cx = Context::from_waker(Waker::noop());
                match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
                    Ok(polled) => polled.map(Some),
                    Err(_) => Poll::Ready(None),
                }
            }
        }
    }

    fn end(mut self, end: End) -> TestCaseResult {
        match self {
            Self::Permit(permit) => match end {
                End::Good => permit.success(),
                End::Failed => permit.failure(),
                End::CallersMistake | End::Dropped => drop(permit),
                End::Panicked => {
                    let unwound = catch_unwind(AssertUnwindSafe(|| {
                        let _held = permit;
                        resume_unwind(Box::new("on purpose"))
                    }));
                    prop_assert!(unwound.is_err());
                }
            },
            Self::Call { .. } if end == End::Dropped => drop(self),
            Self::Call { ref ends, .. } => {
                ends.set(Some(end));
                prop_assert_eq!(self.poll(), Poll::Ready(wanted(end)));
            }
        }
        Ok(())
    }
}

/// What a call answers; nothing where it panics.
fn wanted(end: End) -> Option<Answer> {
    match end {
        End::Good => Some(Ok(())),
        End::Failed => Some(Err(Error::Down)),
        End::CallersMistake => Some(Err(Error::CallersMistake)),
        End::Panicked | End::Dropped => None,
    }
}

/// How long a rejection says that it lasts.
fn retry_after(error: &ResilienceError) -> Option<u64> {
    match error {
        ResilienceError::CircuitOpen { breaker: "modelled", retry_after, .. } => retry_after.map(millis),
        other => panic!("no rejection: {other:?}"),
    }
}

// ---- both of them ----

fn run(settings: BreakerSettings, steps: &[Step], reached: &Reached) -> TestCaseResult {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(both(settings, steps, reached))
}

async fn both(settings: BreakerSettings, steps: &[Step], reached: &Reached) -> TestCaseResult {
    let breaker = Breaker::new("modelled", settings);
    let mut model = Model::new(settings);
    let mut held: Vec<(Execution, Held<'_>)> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Acquire => match (model.admit(), breaker.try_acquire()) {
                (Ok(execution), Ok(permit)) => held.push((execution, Held::Permit(permit))),
                (Err(wait), Err(error)) => prop_assert_eq!(wait, retry_after(&error), "step {}", number),
                (wanted, got) => return Err(TestCaseError::fail(format!("step {number}: {wanted:?}, {got:?}"))),
            },
            Step::Start | Step::Call(_) => {
                let ends = if let Step::Call(end) = step { Some(*end) } else { None };
                let mut call = Held::start(&breaker, ends);
                match (model.admit(), call.poll(), ends) {
                    (Ok(execution), Poll::Pending, None) => held.push((execution, call)),
                    (Ok(execution), Poll::Ready(answer), Some(end)) => {
                        prop_assert_eq!(answer, wanted(end), "step {}", number);
                        model.end(execution, end);
                    }
                    (Err(wait), Poll::Ready(Some(Err(Error::Resilience(error)))), _) => {
                        prop_assert_eq!(wait, retry_after(&error), "step {}", number);
                    }
                    (wanted, got, _) => return Err(TestCaseError::fail(format!("step {number}: {wanted:?}, {got:?}"))),
                }
            }
            Step::End(which, end) if !held.is_empty() => {
                let (execution, real) = held.remove(which.index(held.len()));
                real.end(end)?;
                model.end(execution, end);
            }
            Step::End(..) => {}
            Step::Advance(steps, polls) => {
                tokio::time::advance(Duration::from_millis(steps * STEP_MS)).await;
                model.now += steps * STEP_MS;
                if polls {
                    for (execution, real) in &mut held {
                        if let Held::Call { .. } = real {
                            prop_assert!(real.poll().is_pending());
                            model.look(execution);
                        }
                    }
                }
            }
            Step::Isolate => {
                breaker.isolate();
                model.by_hand(Isolated, Reason::Isolated);
            }
            Step::Open => {
                breaker.open();
                model.by_hand(Open, Reason::Opened);
            }
            Step::Close => {
                breaker.close();
                model.by_hand(Closed, Reason::Closed);
            }
        }
        prop_assert_eq!(Said::by(&breaker), model.said(), "after step {}: {:?}", number, step);
    }
    reached.see(&model);
    // What is still out comes back.
    for (execution, real) in held {
        drop(real);
        model.end(execution, End::Dropped);
    }
    prop_assert_eq!(Said::by(&breaker), model.said(), "at the end");
    prop_assert_eq!(breaker.snapshot().probes, 0);
    Ok(())
}

/// What the sequences of one test came to.
#[derive(Default)]
struct Reached(Mutex<(HashSet<Move>, u64)>);

impl Reached {
    fn see(&self, model: &Model) {
        let mut reached = self.0.lock().unwrap();
        reached.0.extend(&model.told);
        reached.1 += model.counts.stale;
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("small")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 1 to 100")]
fn percent(rate: f64) -> u32 {
    (rate * 100.0).round() as u32
}

// ---- sequences ----

fn steps() -> impl Strategy<Value = Vec<Step>> {
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
        2 => Just(Step::Isolate),
        2 => Just(Step::Open),
        4 => Just(Step::Close),
    ];
    prop::collection::vec(step, 1..LONGEST)
}

fn base() -> impl Strategy<Value = BreakerSettings> {
    (1..=4_u32, 1..=3_u32, 1..=3_u32, 1..=12_u64).prop_map(|(failures, probes, successes, open)| {
        let open = Duration::from_millis(open * STEP_MS);
        BreakerSettings::new().failures(failures).probes(probes).successes(successes).open(open)
    })
}

fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.01), Just(0.1), Just(0.3), Just(0.5), Just(0.67), Just(0.7), Just(0.9), Just(1.0)]
}

fn count_window() -> impl Strategy<Value = (Window, Option<u32>)> {
    (1..=8_u32).prop_flat_map(|size| (Just(Window::Count(size)), prop::option::weighted(0.8, 1..=size)))
}

fn time_window() -> impl Strategy<Value = (Window, Option<u32>)> {
    (Just(Window::Time(Duration::from_millis(STEP_MS * WINDOW_STEPS))), prop::option::weighted(0.95, 1..=5_u32))
}

fn with_window(
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

fn slow() -> impl Strategy<Value = (u64, f64)> {
    (1..=5_u64, rate())
}

/// Tries many sequences, and that they come to all of these transitions and to stale results.
fn agree(settings: impl Strategy<Value = BreakerSettings>, own: &[Move]) {
    let by_every_breaker = [
        (Open, HalfOpen, Reason::Probing),
        (HalfOpen, Open, Reason::Failures),
        (HalfOpen, Closed, Reason::Recovered),
        (Closed, Isolated, Reason::Isolated),
        (HalfOpen, Isolated, Reason::Isolated),
        (Open, Isolated, Reason::Isolated),
        (Closed, Open, Reason::Opened),
        (HalfOpen, Open, Reason::Opened),
        (Isolated, Open, Reason::Opened),
        (HalfOpen, Closed, Reason::Closed),
        (Open, Closed, Reason::Closed),
        (Isolated, Closed, Reason::Closed),
    ];
    let reached = Reached::default();
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&(settings, steps()), |(settings, steps)| run(settings, &steps, &reached));
    if let Err(error) = ran {
        panic!("{error}");
    }
    let (reached, stale) = reached.0.into_inner().unwrap();
    let wanted: HashSet<_> = by_every_breaker.iter().chain(own).copied().collect();
    assert_eq!(reached, wanted);
    assert!(stale > u64::from(CASES));
}

const FAILING: Move = (Closed, Open, Reason::Failures);
const SLOW: Move = (Closed, Open, Reason::Slow);
const SLOW_PROBE: Move = (HalfOpen, Open, Reason::Slow);

#[test]
fn failures_in_a_row_are_counted_as_the_model_counts_them() {
    agree(base(), &[FAILING]);
}

#[test]
fn a_rate_over_the_last_results_is_taken_as_the_model_takes_it() {
    let settings = (base(), rate(), count_window());
    agree(settings.prop_map(|(base, rate, window)| with_window(base, Some(rate), None, window)), &[FAILING]);
}

#[test]
fn a_rate_over_recent_results_is_taken_as_the_model_takes_it() {
    let settings = (base(), rate(), time_window());
    agree(settings.prop_map(|(base, rate, window)| with_window(base, Some(rate), None, window)), &[FAILING]);
}

#[test]
fn slow_calls_among_the_last_are_counted_as_the_model_counts_them() {
    let settings = (base(), prop::option::of(rate()), slow(), count_window());
    agree(
        settings.prop_map(|(base, rate, slow, window)| with_window(base, rate, Some(slow), window)),
        &[FAILING, SLOW, SLOW_PROBE],
    );
}

#[test]
fn slow_calls_among_recent_ones_are_counted_as_the_model_counts_them() {
    let settings = (base(), prop::option::of(rate()), slow(), time_window());
    agree(
        settings.prop_map(|(base, rate, slow, window)| with_window(base, rate, Some(slow), window)),
        &[FAILING, SLOW, SLOW_PROBE],
    );
}
