//! The states of all alerts, advanced by one evaluation at a time. It reads neither a clock nor statistics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::alert::{Alert, AlertState};
use super::rules::{AlertRule, Unit, fill};

/// The maximum number of alerts that are pending or fire. Further ones wait until one of these is over.
pub(crate) const MOST_ALERTS: usize = 1_000;

/// The time between two evaluations from which nothing is known of the time between them. A condition that held before
/// and holds now may have been false meanwhile.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// The names of what an alert is about, each with its label.
pub(crate) type Labels = Vec<(&'static str, Arc<str>)>;

/// A condition that holds at the time of an evaluation.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) rule: &'static AlertRule,
    pub(crate) labels: Labels,
    /// The measured value. A finding without a finite value counts as none.
    pub(crate) value: f64,
}

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Fired,
    /// It still fires, and the time after which its rule repeats it is over.
    Repeated,
    Resolved,
}

/// A change of an alert, which sinks send.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) kind: ChangeKind,
    pub(crate) alert: Arc<Alert>,
}

/// The result of one evaluation.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// What is pending or fires.
    pub(crate) active: Vec<Arc<Alert>>,
    /// What changed.
    pub(crate) changes: Vec<Change>,
    /// The number of conditions that hold and have no alert, because there are too many alerts.
    pub(crate) left_out: usize,
}

/// The states of all alerts.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    tracked: BTreeMap<Key, Tracked>,
    last: Option<(Instant, SystemTime)>,
}

type Key = (&'static str, Labels);

#[derive(Debug)]
struct Tracked {
    /// When the condition began to hold.
    began: Instant,
    /// When the alert was sent last. `None` while it is pending.
    sent: Option<Instant>,
    repeat: Duration,
    alert: Arc<Alert>,
}

impl Machine {
    /// Advances all alerts to the time `now`, by a monotonic clock, and `at`, by the wall clock. `found` are the
    /// conditions that hold then, the most important first.
    pub(crate) fn step(&mut self, now: Instant, at: SystemTime, found: Vec<Finding>) -> Step {
        let mut step = Step::default();
        let last = self.last.replace((now, at));
        let is_gap = last.is_some_and(|(last, _)| now.saturating_duration_since(last) > LONGEST_GAP)
            || is_suspended(last, (now, at));
        let found: Vec<_> = found.into_iter().filter(|finding| finding.value.is_finite()).collect();
        let held: BTreeSet<Key> = found.iter().map(|finding| (finding.rule.name, finding.labels.clone())).collect();
        // First, so that there is room for others.
        self.tracked.retain(|key, tracked| {
            let holds = held.contains(key);
            if !holds && tracked.sent.is_some() {
                step.changes.push(Change { kind: ChangeKind::Resolved, alert: tracked.resolved(at) });
            }
            holds
        });
        for Finding { rule, labels, value } in found {
            let is_full = self.tracked.len() >= MOST_ALERTS;
            let key = (rule.name, labels);
            if is_full && !self.tracked.contains_key(&key) {
                step.left_out += 1;
                continue;
            }
            let alert = Alert::new(rule, &key.1, value, at);
            let tracked = self.tracked.entry(key).or_insert_with(|| Tracked {
                began: now,
                sent: None,
                repeat: rule.repeat,
                alert: Arc::new(alert.clone()),
            });
            if is_gap && tracked.sent.is_none() {
                tracked.began = now;
                tracked.alert = Arc::new(alert.clone());
            }
            if let Some(kind) = tracked.advance(now, at, rule.hold, alert) {
                step.changes.push(Change { kind, alert: Arc::clone(&tracked.alert) });
            }
        }
        // A sink sends all alerts of one name together, so the time to the next repetition begins for all of them.
        let names: BTreeSet<_> = step.changes.iter().map(|change| change.alert.name).collect();
        for ((name, _), tracked) in &mut self.tracked {
            if let Some(sent) = tracked.sent.as_mut().filter(|_| names.contains(name)) {
                *sent = now;
            }
        }
        step.active.extend(self.tracked.values().map(|tracked| Arc::clone(&tracked.alert)));
        step
    }
}

/// Returns whether the computer was suspended since the last evaluation. On some systems the monotonic clock stops then,
/// so that the wall clock alone shows it. A wall clock that is set forward looks the same.
pub(crate) fn is_suspended(last: Option<(Instant, SystemTime)>, (now, at): (Instant, SystemTime)) -> bool {
    last.is_some_and(|(last, last_at)| {
        let elapsed = at.duration_since(last_at).unwrap_or_default();
        elapsed.saturating_sub(now.saturating_duration_since(last)) > LONGEST_GAP
    })
}

impl Tracked {
    /// Advances an alert whose condition holds. `found` is the alert with its present value.
    fn advance(&mut self, now: Instant, at: SystemTime, hold: Duration, found: Alert) -> Option<ChangeKind> {
        let known = &self.alert;
        let (state, since, kind) = match self.sent {
            None if now.saturating_duration_since(self.began) < hold => (AlertState::Pending, known.since, None),
            None => (AlertState::Firing, at, Some(ChangeKind::Fired)),
            Some(sent) => {
                let is_due = now.saturating_duration_since(sent) >= self.repeat;
                (AlertState::Firing, known.since, is_due.then_some(ChangeKind::Repeated))
            }
        };
        // Not while it is pending: the first time that it fires has to be sent.
        if kind.is_some() {
            self.sent = Some(now);
        }
        self.alert = Arc::new(Alert { state, since, ..found });
        kind
    }

    fn resolved(&self, at: SystemTime) -> Arc<Alert> {
        let alert = Alert::clone(&self.alert);
        // The wall clock may have gone back.
        let ended = Some(at.max(alert.since));
        Arc::new(Alert { state: AlertState::Resolved, ended, ..alert })
    }
}

impl Alert {
    /// Creates an alert that begins to be pending.
    fn new(rule: &AlertRule, labels: &Labels, value: f64, at: SystemTime) -> Self {
        let text = |template| {
            fill(template, |name| match labels.iter().find(|(label, _)| *label == name) {
                Some((_, value)) => value.to_string(),
                None => shown(value, rule.condition.unit()),
            })
        };
        Self {
            name: rule.name,
            severity: rule.severity,
            labels: labels.iter().map(|(label, value)| (*label, value.to_string())).collect(),
            summary: text(rule.summary),
            description: text(rule.description),
            state: AlertState::Pending,
            since: at,
            ended: None,
            value,
            runbook: rule.runbook,
        }
    }
}

/// Formats a value with three significant digits or, for large ones, as a whole number.
fn shown(value: f64, unit: Unit) -> String {
    let (value, suffix) = match unit {
        Unit::Count => return format!("{value:.0}"),
        Unit::Share => (value * 100.0, " %"),
        Unit::Seconds => (value, " s"),
        Unit::Times => (value, " times"),
    };
    let decimals = match value.abs() {
        0.0..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{suffix}")
}

#[cfg(test)]
mod tests;
