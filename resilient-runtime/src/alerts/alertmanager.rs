//! The outbox of an Alertmanager: what fires, which is sent again and again, and what was resolved.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::outbox::{Next, Outbox, is_last};
use super::payload::{ServerIdentity, of_alertmanager};
use crate::alerting::{Alert, AlertState, ChangeKind, Step};

/// The interval in which alerts that fire are sent again. Alertmanager resolves those that are not.
pub(super) const RESEND: Duration = Duration::from_secs(60);

/// The maximum number of resolved alerts that wait.
const MOST_RESOLVED: usize = 1_000;

/// The alerts that an Alertmanager has to know.
pub(super) struct Current {
    server: ServerIdentity,
    firing: Vec<Arc<Alert>>,
    /// Oldest first.
    resolved: VecDeque<Arc<Alert>>,
    /// The number of alerts that began to fire and were not sent yet.
    fired: u64,
    /// Whether there was a change since the last request began.
    is_new: bool,
    /// The request that is being sent.
    sending: Option<Sending>,
    /// When a request ended last.
    last: Option<Instant>,
    /// The number of tries since then that failed.
    failed: u32,
}

/// What a request contains.
#[derive(Clone, Copy)]
struct Sending {
    /// The number of resolved alerts.
    resolved: usize,
    /// The number of alerts that began to fire.
    fired: u64,
}

impl Current {
    pub(super) const fn new(server: ServerIdentity) -> Self {
        Self {
            server,
            firing: Vec::new(),
            resolved: VecDeque::new(),
            fired: 0,
            is_new: false,
            sending: None,
            last: None,
            failed: 0,
        }
    }

    /// Ends a request. Returns the number of resolved alerts in it.
    fn end(&mut self, now: Instant) -> u64 {
        (self.last, self.failed) = (Some(now), 0);
        let Some(Sending { resolved, fired }) = self.sending.take() else { return 0 };
        self.fired = self.fired.saturating_sub(fired);
        count(self.resolved.drain(..resolved.min(self.resolved.len())).len())
    }
}

impl Outbox for Current {
    fn add(&mut self, step: &Step) -> u64 {
        self.firing = step.active.iter().filter(|alert| alert.state == AlertState::Firing).cloned().collect();
        let mut lost = 0;
        for change in &step.changes {
            match change.kind {
                ChangeKind::Repeated => continue,
                ChangeKind::Fired => self.fired += 1,
                ChangeKind::Resolved => self.resolved.push_back(Arc::clone(&change.alert)),
            }
            self.is_new = true;
            if self.resolved.len() > MOST_RESOLVED {
                self.resolved.pop_front();
                if let Some(sending) = &mut self.sending {
                    sending.resolved = sending.resolved.saturating_sub(1);
                }
                lost += 1;
            }
        }
        lost
    }

    fn next(&mut self, now: Instant, at: SystemTime) -> Next {
        let again = self.last.filter(|_| !self.firing.is_empty()).map(|last| last + RESEND);
        let is_due = self.is_new || self.sending.is_some() || again.is_some_and(|again| again <= now);
        if !is_due {
            return Next::Wait(again);
        }
        self.is_new = false;
        self.sending = Some(Sending { resolved: self.resolved.len(), fired: self.fired });
        // The resolved ones first: one of them may fire again.
        Next::Send(of_alertmanager(self.resolved.iter().chain(&self.firing), &self.server, at))
    }

    fn sent(&mut self, now: Instant) {
        self.end(now);
    }

    /// What fires is not lost: it is sent again with the next request.
    fn failed(&mut self, now: Instant, most_tries: Option<u32>) -> Option<u64> {
        is_last(&mut self.failed, most_tries).then(|| self.end(now))
    }

    fn unsent(&self) -> u64 {
        count(self.resolved.len()) + self.fired
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
