//! The breaker against a simple model: after each step of a random sequence both are in the same state.

mod model;
mod real;
mod sequences;

use std::collections::HashSet;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestCaseResult, TestRunner};
use resilient_runtime::Breaker;
use resilient_runtime::breaker::BreakerState::{self, Closed, HalfOpen, Isolated, Open};
use resilient_runtime::breaker::Reason;
use resilient_runtime::policy::BreakerSettings;

use model::{Execution, Model};
use real::{Error, Held, Said, retry_after, wanted};
use sequences::{base, count_window, rate, slow, steps, time_window, with_window};

/// All times are multiples of this, which is also the step of the time windows here, so that a result leaves a window
/// after a whole number of steps.
const STEP_MS: u64 = 100;
const WINDOW_STEPS: u64 = 10;

const CASES: u32 = 700;
const LONGEST: usize = 70;

/// One step of a sequence.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Requests a permit and keeps it.
    Acquire,
    /// Makes a call that is ready at once.
    Call(End),
    /// Makes a call that keeps running.
    Start,
    /// Ends one of the permits or calls that are held.
    End(prop::sample::Index, End),
    /// Advances the clock by this number of window steps. The flag is whether the running calls are polled then.
    Advance(u64, bool),
    /// The breaker of another replica has opened.
    Arm,
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

/// A transition and its reason.
type Move = (BreakerState, BreakerState, Reason);

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
                    (Ok(execution), Poll::Pending, None) => held.push((model.begin(execution), call)),
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
            Step::Arm => prop_assert_eq!(breaker.arm(), model.arm(), "step {}", number),
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
    // Permits and calls that are still held are dropped.
    for (execution, real) in held {
        drop(real);
        model.end(execution, End::Dropped);
    }
    prop_assert_eq!(Said::by(&breaker), model.said(), "at the end");
    prop_assert_eq!(breaker.snapshot().probes, 0);
    Ok(())
}

/// The transitions, and the number of stale results, that the sequences of one test reached.
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

/// Tries many sequences, and asserts that they reach all of these transitions and stale results.
fn agree(settings: impl Strategy<Value = BreakerSettings>, own: &[Move]) {
    let by_every_breaker = [
        (Closed, Open, Reason::Peer),
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
