//! The task that evaluates the rules every 15 s.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::conditions;
use super::history::History;
use super::sample::Sample;
use super::sink::Sink;
use crate::alerting::{Alert, ChangeKind, Machine, Step, is_suspended};
use crate::panics::catch_panic;
use crate::registry::Registry;

/// The time between two evaluations.
const INTERVAL: Duration = Duration::from_secs(15);

/// How late an evaluation may be and count as one at the time that it was planned for.
const ON_TIME: Duration = Duration::from_secs(1);

/// Evaluates the rules and gives the changes to the sinks.
pub(crate) struct Evaluation {
    registry: Option<Arc<Registry>>,
    is_logged: bool,
    sinks: Vec<Arc<Sink>>,
    machine: Machine,
    history: History,
    last: Option<(Instant, SystemTime)>,
    /// Whether there were too many alerts or too much to remember at the last evaluation.
    is_limited: bool,
}

impl Evaluation {
    pub(super) fn new(registry: Option<Arc<Registry>>, is_logged: bool, sinks: Vec<Arc<Sink>>) -> Self {
        let (machine, history) = (Machine::default(), History::default());
        Self { registry, is_logged, sinks, machine, history, last: None, is_limited: false }
    }

    /// Starts the tasks, which end with `stop`.
    pub(crate) fn start(self, tasks: &TaskTracker, stop: &CancellationToken) {
        for sink in &self.sinks {
            tasks.spawn(Arc::clone(sink).run(stop.clone()));
        }
        tasks.spawn(self.run(stop.clone()));
    }

    async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(INTERVAL);
        // After a pause of the process, one evaluation and not many.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(tick) = stop.run_until_cancelled(ticks.tick()).await {
            let now = Instant::now();
            // Timers fire a little late, each time differently: by their own times, a condition that held for eight
            // intervals would often seem to have held for less than two minutes.
            let time = if now.saturating_duration_since(tick) < ON_TIME { tick } else { now };
            if catch_panic(|| self.evaluate(time, SystemTime::now())).is_none() {
                // What was shown before may be over.
                self.registry().alert_board().set(Vec::new(), []);
            }
        }
    }

    fn evaluate(&mut self, now: Instant, at: SystemTime) {
        if is_suspended(self.last.replace((now, at)), (now, at)) {
            // The windows would contain what happened before.
            self.history = History::default();
        }
        self.history.add(now, Sample::of(self.registry()));
        let step = self.machine.step(now, at, conditions::all(&self.history, now));
        let changes = step.changes.iter().filter(|change| change.kind != ChangeKind::Repeated);
        let changes: Vec<_> = changes.map(|change| Alert::clone(&change.alert)).collect();
        let active = step.active.iter().map(|alert| Alert::clone(alert)).collect();
        self.registry().alert_board().set(active, changes);
        for sink in &self.sinks {
            sink.add(&step);
        }
        // At last, because a subscriber may panic.
        self.log(&step);
    }

    fn log(&mut self, step: &Step) {
        let (left_out, is_full) = (step.left_out, self.history.is_full());
        let was_limited = std::mem::replace(&mut self.is_limited, left_out > 0 || is_full);
        if self.is_limited && !was_limited {
            let what = if left_out > 0 { "there are too many alerts" } else { "there are too many names to evaluate" };
            catch_panic(|| tracing::error!(event = "alert.limited", left_out, "{what}"));
        }
        for change in step.changes.iter().filter(|_| self.is_logged) {
            match change.kind {
                ChangeKind::Fired => log_firing(&change.alert),
                ChangeKind::Repeated => {}
                ChangeKind::Resolved => log_resolved(&change.alert),
            }
        }
    }

    fn registry(&self) -> &Registry {
        self.registry.as_deref().unwrap_or_else(|| Registry::global())
    }
}

impl Drop for Evaluation {
    fn drop(&mut self) {
        self.registry().alert_board().end();
    }
}

fn log_firing(alert: &Alert) {
    let Alert { name: alert_name, summary, value, runbook, .. } = alert;
    let (severity, labels) = (alert.severity.as_str(), labels(alert));
    catch_panic(|| {
        tracing::error!(event = "alert.firing", alert = alert_name, severity, labels, value, runbook, "{summary}");
    });
}

fn log_resolved(alert: &Alert) {
    let Alert { name: alert_name, summary, .. } = alert;
    let (severity, labels) = (alert.severity.as_str(), labels(alert));
    let fired_ms = alert.ended.and_then(|ended| ended.duration_since(alert.since).ok());
    let fired_ms = fired_ms.map(crate::clock::saturating_millis);
    catch_panic(|| {
        tracing::info!(event = "alert.resolved", alert = alert_name, severity, labels, fired_ms, "{summary}");
    });
}

/// Returns the labels as text: `breaker=shop, ..`.
fn labels(alert: &Alert) -> String {
    let labels: Vec<_> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    labels.join(", ")
}
