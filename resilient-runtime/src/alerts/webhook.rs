//! The outbox of a webhook: the names of alerts with changes that were not sent. The body of a notification is made when
//! it is sent, and contains what fires then.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::outbox::{Next, Outbox, is_last};
use super::payload::{ServerIdentity, of_webhook};
use crate::alerting::{Alert, AlertState, ChangeKind, Step};

/// The maximum number of resolved alerts that wait.
const MOST_RESOLVED: usize = 1_000;

/// The notifications of a webhook that wait.
pub(super) struct Notifications {
    server: ServerIdentity,
    /// What fires, by name.
    firing: BTreeMap<&'static str, Vec<Arc<Alert>>>,
    waiting: BTreeMap<&'static str, Waiting>,
    /// The keys of `waiting`, in the order in which they are sent.
    order: VecDeque<&'static str>,
    /// The notification that is being sent.
    sending: Option<Sending>,
}

/// The changes of the alerts of one name that were not sent.
#[derive(Default)]
struct Waiting {
    /// The resolved alerts, by their labels.
    resolved: BTreeMap<BTreeMap<&'static str, String>, Arc<Alert>>,
    /// The number of alerts that fired or were resolved.
    changes: u64,
    /// The number of tries that failed.
    failed: u32,
}

struct Sending {
    name: &'static str,
    resolved: Vec<Arc<Alert>>,
    changes: u64,
}

impl Notifications {
    pub(super) const fn new(server: ServerIdentity) -> Self {
        Self { server, firing: BTreeMap::new(), waiting: BTreeMap::new(), order: VecDeque::new(), sending: None }
    }

    /// Adds a change. Returns `false` if there is no room for it.
    fn add_change(&mut self, kind: ChangeKind, alert: &Arc<Alert>, resolved: &mut usize) -> bool {
        let name = alert.name;
        if !self.waiting.contains_key(name) {
            self.order.push_back(name);
        }
        let waiting = self.waiting.entry(name).or_default();
        match kind {
            ChangeKind::Repeated => return true,
            ChangeKind::Fired => *resolved -= usize::from(waiting.resolved.remove(&alert.labels).is_some()),
            ChangeKind::Resolved => {
                if *resolved >= MOST_RESOLVED {
                    return false;
                }
                *resolved += 1;
                waiting.resolved.insert(alert.labels.clone(), Arc::clone(alert));
            }
        }
        waiting.changes += 1;
        true
    }

    /// Removes the names of which nothing is left to show. Returns the number of changes that are lost.
    fn remove_empty(&mut self) -> u64 {
        let Self { waiting, order, firing, .. } = self;
        let mut lost = 0;
        order.retain(|name| {
            let is_shown = firing.contains_key(name) || waiting.get(name).is_some_and(|name| !name.resolved.is_empty());
            if !is_shown {
                lost += waiting.remove(name).map_or(0, |waiting| waiting.changes);
            }
            is_shown
        });
        lost
    }

    /// Ends a notification. Returns the number of changes in it.
    fn end(&mut self) -> u64 {
        let Some(Sending { name, resolved, changes }) = self.sending.take() else { return 0 };
        self.order.retain(|waiting| *waiting != name);
        let Some(waiting) = self.waiting.get_mut(name) else { return 0 };
        for alert in resolved {
            // It may have fired again, and been resolved again.
            if waiting.resolved.get(&alert.labels).is_some_and(|known| Arc::ptr_eq(known, &alert)) {
                waiting.resolved.remove(&alert.labels);
            }
        }
        waiting.failed = 0;
        waiting.changes = waiting.changes.saturating_sub(changes);
        if waiting.changes > 0 {
            self.order.push_back(name);
        } else {
            self.waiting.remove(name);
        }
        changes
    }
}

impl Outbox for Notifications {
    fn add(&mut self, step: &Step) -> u64 {
        self.firing.clear();
        for alert in step.active.iter().filter(|alert| alert.state == AlertState::Firing) {
            self.firing.entry(alert.name).or_default().push(Arc::clone(alert));
        }
        let mut resolved = self.waiting.values().map(|waiting| waiting.resolved.len()).sum();
        let mut lost = 0;
        for change in &step.changes {
            lost += u64::from(!self.add_change(change.kind, &change.alert, &mut resolved));
        }
        lost + self.remove_empty()
    }

    fn next(&mut self, _: Instant, _: SystemTime) -> Next {
        let Some(name) = self.order.front().copied() else { return Next::Wait(None) };
        let Some(waiting) = self.waiting.get(name) else { return Next::Wait(None) };
        let resolved: Vec<_> = waiting.resolved.values().cloned().collect();
        let alerts: Vec<_> = self.firing.get(name).into_iter().flatten().chain(&resolved).cloned().collect();
        self.sending = Some(Sending { name, resolved, changes: waiting.changes });
        Next::Send(of_webhook(name, &alerts, &self.server))
    }

    fn sent(&mut self, _: Instant) {
        self.end();
    }

    fn failed(&mut self, _: Instant, most_tries: Option<u32>) -> Option<u64> {
        let name = self.sending.as_ref().map(|sending| sending.name)?;
        // The other names do not wait for this one.
        if let Some(at) = self.order.iter().position(|waiting| *waiting == name) {
            self.order.remove(at);
            self.order.push_back(name);
        }
        let waiting = self.waiting.get_mut(name)?;
        is_last(&mut waiting.failed, most_tries).then(|| self.end())
    }

    fn unsent(&self) -> u64 {
        self.waiting.values().map(|waiting| waiting.changes).sum()
    }
}
