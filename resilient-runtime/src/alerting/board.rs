//! The alerts of one registry: those that are pending or fire, the last changes, and what no sink received.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::alert::{Alert, AlertState};

/// The number of changes that are kept.
pub(crate) const MOST_CHANGES: usize = 100;

/// The kinds of sinks that can lose alerts: the label `sink`.
const SINKS: [&str; 2] = ["alertmanager", "webhook"];

/// The alerts of one registry.
#[derive(Debug, Default)]
pub(crate) struct AlertBoard {
    alerts: Mutex<Known>,
    /// Whether something evaluates the rules.
    is_evaluated: AtomicBool,
    was_evaluated: AtomicBool,
    lost: [AtomicU64; SINKS.len()],
}

#[derive(Debug, Default)]
struct Known {
    active: Vec<Alert>,
    /// Newest last.
    changes: VecDeque<Alert>,
}

impl AlertBoard {
    /// Returns what is pending or fires: first what fires, the most urgent first.
    pub(crate) fn active(&self) -> Vec<Alert> {
        self.lock().active.clone()
    }

    /// Returns what fires, the most urgent first.
    pub(crate) fn firing(&self) -> Vec<Alert> {
        self.lock().active.iter().filter(|alert| alert.state == AlertState::Firing).cloned().collect()
    }

    /// Returns the last changes, newest first.
    pub(crate) fn changes(&self) -> Vec<Alert> {
        self.lock().changes.iter().rev().cloned().collect()
    }

    /// Replaces what is pending or fires, and adds changes, oldest first.
    pub(crate) fn set(&self, mut active: Vec<Alert>, changes: impl IntoIterator<Item = Alert>) {
        let rank = |alert: &Alert| (alert.state == AlertState::Firing, alert.severity);
        active.sort_by(|a, b| {
            rank(b).cmp(&rank(a)).then_with(|| a.name.cmp(b.name)).then_with(|| a.labels.cmp(&b.labels))
        });
        let mut known = self.lock();
        known.active = active;
        for change in changes {
            if known.changes.len() == MOST_CHANGES {
                known.changes.pop_front();
            }
            known.changes.push_back(change);
        }
    }

    /// Begins to evaluate the rules. Returns `false` if something else already evaluates them.
    pub(crate) fn begin(&self) -> bool {
        self.was_evaluated.store(true, Ordering::Relaxed);
        !self.is_evaluated.swap(true, Ordering::Relaxed)
    }

    /// Returns whether something evaluates the rules.
    #[cfg(feature = "status-page")]
    pub(crate) fn is_evaluated(&self) -> bool {
        self.is_evaluated.load(Ordering::Relaxed)
    }

    /// Ends to evaluate the rules: what is pending or fires is no longer known.
    pub(crate) fn end(&self) {
        self.lock().active.clear();
        self.is_evaluated.store(false, Ordering::Relaxed);
    }

    /// Counts changes that a sink did not deliver.
    pub(crate) fn count_lost(&self, sink: &'static str, count: u64) {
        if let Some((_, lost)) = SINKS.iter().zip(&self.lost).find(|(known, _)| **known == sink) {
            lost.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Reads how many changes each kind of sink did not deliver, or nothing if nothing has evaluated the rules.
    #[cfg(any(feature = "otel", feature = "prometheus"))]
    pub(crate) fn lost(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let was_evaluated = self.was_evaluated.load(Ordering::Relaxed);
        let all = SINKS.into_iter().zip(&self.lost);
        all.filter(move |_| was_evaluated).map(|(sink, lost)| (sink, lost.load(Ordering::Relaxed)))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
