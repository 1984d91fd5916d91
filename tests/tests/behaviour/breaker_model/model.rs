//! The model: lists and counters, without optimization or threads.

use resilient_runtime::breaker::BreakerState::{self, Closed, HalfOpen, Isolated, Open};
use resilient_runtime::breaker::Reason;
use resilient_runtime::policy::{BreakerSettings, Window};

use super::real::Said;
use super::{End, Move, STEP_MS, WINDOW_STEPS, millis, percent};

#[derive(Debug)]
pub(super) struct Model {
    settings: BreakerSettings,
    pub(super) now: u64,
    state: BreakerState,
    /// Incremented whenever the granted permits become stale.
    epoch: u32,
    /// The end of the open period, or of the lease of the probes.
    until: u64,
    failures_in_a_row: u32,
    /// Whether the next failure opens it.
    is_armed: bool,
    good_probes: u32,
    running_probes: u32,
    results: Vec<Kept>,
    numbered: u32,
    pub(super) told: Vec<Move>,
    pub(super) counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) successes: u64,
    pub(super) failures: u64,
    pub(super) neutral: u64,
    pub(super) rejected: u64,
    pub(super) stale: u64,
}

/// A result in the window.
#[derive(Debug, Clone, Copy)]
struct Kept {
    number: u32,
    at: u64,
    failed: bool,
    slow: bool,
}

/// The state of an admitted execution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Execution {
    epoch: u32,
    started: u64,
    /// The time at which the timer of a call reports it as slow. A permit has no timer.
    due: Option<u64>,
    /// Whether that timer fired so late that the process must have been suspended.
    stood_still: bool,
    /// Whether the execution was reported as slow while it ran.
    seen_slow: bool,
    /// The number of the slow result, if there is one.
    says_slow: Option<u32>,
}

impl Model {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            now: 0,
            state: Closed,
            epoch: 0,
            until: 0,
            failures_in_a_row: 0,
            is_armed: false,
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
        self.is_armed = false;
        self.good_probes = 0;
        self.running_probes = 0;
        self.results.clear();
    }

    /// The breaker of another replica has opened.
    pub(super) fn arm(&mut self) -> bool {
        let is_new = self.state == Closed && !self.is_armed;
        if is_new {
            self.is_armed = true;
            self.failures_in_a_row = 0;
        }
        is_new
    }

    pub(super) fn by_hand(&mut self, to: BreakerState, reason: Reason) {
        if to == Closed {
            self.is_armed = false;
        }
        if self.state != to || to == Open {
            self.go(to, reason);
        }
    }

    /// Returns a permit, or the time until the next one.
    pub(super) fn admit(&mut self) -> Result<Execution, Option<u64>> {
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
            other => panic!("the model has no {other:?}"),
        }
        let (epoch, started) = (self.epoch, self.now);
        Ok(Execution { epoch, started, due: None, stood_still: false, seen_slow: false, says_slow: None })
    }

    /// Makes an admitted execution a running call.
    pub(super) fn begin(&self, execution: Execution) -> Execution {
        Execution { due: self.settings.slow.map(|slow| self.now + millis(slow)), ..execution }
    }

    fn reject(&mut self, wait: Option<u64>) -> Result<Execution, Option<u64>> {
        self.counts.rejected += 1;
        Err(wait)
    }

    /// Polls a running call.
    pub(super) fn look(&mut self, execution: &mut Execution) {
        if self.is_far_too_late(execution) {
            execution.stood_still = true;
            execution.due = self.settings.slow.map(|slow| self.now + millis(slow));
        } else if execution.due.is_some_and(|due| due <= self.now) {
            execution.due = None;
            execution.seen_slow = true;
            if self.state == Closed && execution.epoch == self.epoch {
                execution.says_slow = Some(self.keep(false, true));
                self.trip();
            }
        }
    }

    fn is_far_too_late(&self, execution: &Execution) -> bool {
        let late = |due: u64| self.now.saturating_sub(due) > u64::max(500, (due - execution.started) / 4);
        execution.due.is_some_and(late)
    }

    fn is_slow(&self, execution: &Execution) -> bool {
        let is_unknown = execution.stood_still || self.is_far_too_late(execution);
        if is_unknown {
            return execution.seen_slow;
        }
        self.settings.slow.is_some_and(|slow| self.now - execution.started >= millis(slow))
    }

    pub(super) fn end(&mut self, execution: Execution, end: End) {
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
                if std::mem::take(&mut self.is_armed) {
                    if failed {
                        self.go(Open, Reason::Peer);
                    }
                } else if self.settings.rate.is_none() {
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
            _ => {}
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

    pub(super) fn said(&self) -> Said {
        Said {
            state: self.state,
            remaining: match self.state {
                Open => Some(self.until.saturating_sub(self.now)),
                HalfOpen if self.running_probes > 0 => Some(self.until.saturating_sub(self.now)),
                _ => None,
            },
            failures_in_a_row: self.failures_in_a_row,
            window: (self.state == Closed && self.settings.has_window()).then(|| self.totals()),
            probes: self.running_probes,
            told: self.told[self.told.len().saturating_sub(100)..].to_vec(),
            counts: self.counts,
        }
    }
}
