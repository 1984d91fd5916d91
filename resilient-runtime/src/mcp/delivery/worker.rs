//! The loop that claims due writes and starts their deliveries.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::groups::{Group, Room};
use super::leases::{Leases, Suspensions};
use super::server::{Server, ServerFactory};
use crate::deferred::{Claim, Deferral, Entry, Receipt, State, StoreError, Summary};
use crate::registry::Registry;
use crate::site::Site;
use crate::statistics::DeferredResult;
use crate::telemetry;

/// The longest time between two polls of the store, which other processes write to as well.
const USUAL: Duration = Duration::from_secs(5);

/// The shortest time between two polls. With the number of deliveries at a time, it bounds their rate.
const SHORTEST: Duration = Duration::from_millis(50);

/// The longest time between two polls while the store fails.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The time between two sweeps.
const SWEEP: Duration = Duration::from_secs(5);

/// The maximum number of entries whose interrupted tries are remembered.
const MOST_INTERRUPTED: usize = 1_000;

/// The time after which a worker that panicked runs again.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Delivers deferred writes.
pub(crate) struct Worker {
    pub(super) deferral: Arc<Deferral>,
    factory: ServerFactory,
    server: Mutex<Option<Arc<Server>>>,
    registry: Option<Arc<Registry>>,
    groups: Vec<Group>,
    /// Whether the times in the store are those of this process's clock.
    recovered: AtomicBool,
    /// The running deliveries.
    deliveries: TaskTracker,
    pub(super) leases: Leases,
}

impl Worker {
    /// Creates the worker for these tools. `registry` is that of the tools, unless it is the one of the process.
    pub(crate) fn new(
        deferral: Arc<Deferral>,
        (factory, server): (ServerFactory, Server),
        registry: Option<&Arc<Registry>>,
        tools: &[&'static Site],
        deliveries: TaskTracker,
    ) -> Self {
        let groups = Group::of(tools, registry);
        let server = Mutex::new(Some(Arc::new(server)));
        let recovered = AtomicBool::new(false);
        let leases = Leases::default();
        Self { deferral, factory, server, registry: registry.cloned(), groups, recovered, deliveries, leases }
    }

    /// Delivers until `stop` is cancelled. Deliveries that run then are finished.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let ended = tokio::spawn(Arc::clone(&self).work(stop.clone())).await;
            // A store may panic. Entries that were claimed meanwhile are due again after their lease.
            match ended {
                Err(panicked) if panicked.is_panic() => {
                    tracing::error!(event = "deferred.worker_failed", "the worker for deferred writes panicked");
                }
                _ => return,
            }
            if stop.run_until_cancelled(sleep(AFTER_PANIC)).await.is_none() {
                return;
            }
        }
    }

    async fn work(self: Arc<Self>, stop: CancellationToken) {
        let mut polls = Polls::default();
        // Only stopped between two polls: a claim that is dropped would use up a try.
        while !stop.is_cancelled() {
            let wait = match self.poll(&mut polls).await {
                Ok(wait) => {
                    polls.failures = 0;
                    wait.min(USUAL)
                }
                Err((operation, error)) => {
                    if polls.failures == 0 {
                        telemetry::deferred::store_failed(operation, &error);
                    }
                    polls.failures = polls.failures.saturating_add(1);
                    let delay = SHORTEST.saturating_mul(1 << polls.failures.min(16)).min(LONGEST_BACKOFF);
                    let _ = stop.run_until_cancelled(sleep(delay)).await;
                    continue;
                }
            };
            let woken = async {
                sleep(SHORTEST).await;
                let _ = timeout(wait.saturating_sub(SHORTEST), self.deferral.wake.notified()).await;
            };
            let _ = stop.run_until_cancelled(woken).await;
        }
    }

    /// Polls the store once: sweeps it if it is time, claims due writes and starts their deliveries. Returns the time
    /// until the next poll.
    async fn poll(self: &Arc<Self>, polls: &mut Polls) -> Result<Duration, (&'static str, StoreError)> {
        let Deferral { store, server, clock, .. } = &*self.deferral;
        clock.agree(&**store).await.map_err(|error| ("agree", error))?;
        if let Some(wait) = polls.suspensions.wait(clock.now()) {
            self.leases.renew(store, clock.now()).await;
            return Ok(wait);
        }
        if !self.recovered.load(Ordering::Relaxed) {
            store.recover(server, clock.now()).await.map_err(|error| ("recover", error))?;
            self.recovered.store(true, Ordering::Relaxed);
        }
        if polls.swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
            let swept = store.sweep(server, clock.now()).await.map_err(|error| ("sweep", error))?;
            polls.swept = Some(Instant::now());
            swept.ended.iter().for_each(|entry| self.ended(entry, polls));
            self.deferral.sample().await.map_err(|error| ("count", error))?;
        }
        let mut wait = USUAL;
        for (index, group) in self.groups.iter().enumerate() {
            let (limit, tools) = match group.room(self.registry.as_ref(), USUAL) {
                Room::Free(limit, tools) => (limit, tools),
                Room::Full => continue,
                Room::Closed(rest) => {
                    wait = wait.min(rest);
                    continue;
                }
            };
            let now = clock.now();
            let claim = Claim { server: server.clone(), tools, limit, now };
            let claims = store.claim(&claim).await.map_err(|error| ("claim", error))?;
            claims.ended.iter().for_each(|entry| self.ended(entry, polls));
            let is_full = claims.entries.len() == limit;
            for entry in claims.entries {
                self.count_interrupted(&entry.summary, polls);
                let lease = claim.tools.iter().find(|tool| tool.name == entry.summary.tool).map(|tool| tool.lease);
                self.start(index, entry, lease.unwrap_or(USUAL));
            }
            // A group that is full wakes the worker.
            if let Some(next) = claims.next.filter(|_| !is_full) {
                wait = wait.min(next.since(now));
            }
        }
        Ok(wait)
    }

    /// Starts the delivery of a claimed entry.
    fn start(self: &Arc<Self>, group: usize, entry: Entry, lease: Duration) {
        let Some(running) = Running::new(self, group) else { return };
        self.deliveries.spawn(async move {
            running
                .worker
                .deliver(entry, lease, |tool, delay| {
                    if let Some(group) = running.worker.groups.get(group) {
                        group.pause(tool, delay);
                    }
                })
                .await;
        });
    }

    /// Returns the server, which is created again if it has ended. Returns `None` if it cannot be created.
    pub(super) fn server(&self) -> Option<Arc<Server>> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if server.as_ref().is_none_or(|server| server.is_closed()) {
            *server = self.factory.start(self.registry.as_ref()).map(Arc::new);
        }
        server.clone()
    }

    /// Counts the tries of an entry whose process died or hung, each once.
    fn count_interrupted(&self, entry: &Summary, polls: &mut Polls) {
        if entry.interrupted == 0 {
            return;
        }
        if polls.interrupted.len() >= MOST_INTERRUPTED {
            polls.interrupted.clear();
        }
        let known = polls.interrupted.insert(entry.receipt, entry.interrupted).unwrap_or_default();
        for _ in known..entry.interrupted {
            self.deferral.statistics.count(&entry.tool, DeferredResult::Interrupted);
        }
    }

    /// Counts and logs the end of an entry that ended outside of a try.
    fn ended(&self, entry: &Summary, polls: &mut Polls) {
        // Its last try may have been interrupted.
        self.count_interrupted(entry, polls);
        let result = match entry.state {
            State::Dead | State::Discarded if entry.tries_used == 0 => DeferredResult::Expired,
            State::Dead => DeferredResult::Dead,
            State::Discarded => DeferredResult::Discarded,
            State::Cancelled => DeferredResult::Cancelled,
            _ => return,
        };
        self.deferral.statistics.count(&entry.tool, result);
        telemetry::deferred::ended(entry, None);
    }
}

/// What the loop remembers between two polls.
#[derive(Default)]
struct Polls {
    suspensions: Suspensions,
    swept: Option<Instant>,
    /// The interrupted tries that were counted, by entry.
    interrupted: HashMap<Receipt, u32>,
    /// The number of failures in a row.
    failures: u32,
}

/// A running delivery. Dropping it makes room for the next one.
struct Running {
    worker: Arc<Worker>,
    group: usize,
}

impl Running {
    fn new(worker: &Arc<Worker>, group: usize) -> Option<Self> {
        worker.groups.get(group)?.begin();
        Some(Self { worker: Arc::clone(worker), group })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.worker.groups.get(self.group) {
            group.end();
        }
        self.worker.deferral.wake.notify_one();
    }
}
