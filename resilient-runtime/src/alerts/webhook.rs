//! The outbox of a webhook: notifications in the order of the evaluations.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::outbox::{Next, Outbox};
use super::payload::{ServerIdentity, of_webhook};
use crate::alerting::{Alert, AlertState, ChangeKind, Step};

/// The maximum number of alerts in all notifications that wait. A single notification may have more.
const MOST: usize = 2_000;

/// The notifications of a webhook that wait.
pub(super) struct Notifications {
    server: ServerIdentity,
    /// Oldest first.
    queue: VecDeque<Notification>,
    /// Whether the first one is being sent.
    is_sending: bool,
}

/// The alerts of one name, after some of them have changed.
struct Notification {
    name: &'static str,
    alerts: Vec<Arc<Alert>>,
    /// The number of alerts that fired or were resolved.
    changes: u64,
}

impl Notifications {
    pub(super) const fn new(server: ServerIdentity) -> Self {
        Self { server, queue: VecDeque::new(), is_sending: false }
    }

    fn take(&mut self) -> u64 {
        self.is_sending = false;
        self.queue.pop_front().map_or(0, |notification| notification.changes)
    }
}

impl Outbox for Notifications {
    fn add(&mut self, step: &Step) -> u64 {
        let mut by_name: BTreeMap<_, (Vec<_>, u64)> = BTreeMap::new();
        for change in &step.changes {
            let (resolved, changes) = by_name.entry(change.alert.name).or_default();
            match change.kind {
                ChangeKind::Fired => *changes += 1,
                ChangeKind::Repeated => {}
                ChangeKind::Resolved => {
                    *changes += 1;
                    resolved.push(Arc::clone(&change.alert));
                }
            }
        }
        for (name, (resolved, changes)) in by_name {
            // A receiver that does not answer needs no repetition.
            if changes == 0 && self.queue.iter().any(|waiting| waiting.name == name) {
                continue;
            }
            let fires = |alert: &&Arc<Alert>| alert.name == name && alert.state == AlertState::Firing;
            let alerts = step.active.iter().filter(fires).cloned().chain(resolved).collect();
            self.queue.push_back(Notification { name, alerts, changes });
        }
        let mut waiting: usize = self.queue.iter().map(|notification| notification.alerts.len()).sum();
        let mut lost = 0;
        let first = usize::from(self.is_sending);
        while waiting > MOST && self.queue.len() > first + 1 {
            let Some(oldest) = self.queue.remove(first) else { break };
            waiting -= oldest.alerts.len();
            lost += oldest.changes;
        }
        lost
    }

    fn next(&mut self, _: Instant, _: SystemTime) -> Next {
        match self.queue.front() {
            Some(first) => {
                self.is_sending = true;
                Next::Send(of_webhook(first.name, &first.alerts, &self.server))
            }
            None => Next::Wait(None),
        }
    }

    fn sent(&mut self, _: Instant) {
        self.take();
    }

    fn refused(&mut self, _: Instant) -> u64 {
        self.take()
    }

    fn unsent(&self) -> u64 {
        self.queue.iter().map(|notification| notification.changes).sum()
    }
}
