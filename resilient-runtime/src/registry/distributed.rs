//! What a registry shares with other replicas: the breakers that react to openings of breakers there. And what it would
//! share, if there were a shared state.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use resilient_policy::Policy;

use super::Registry;
use crate::breaker::Breaker;
use crate::site::Site;

/// The breakers that a bound function marks as distributed.
#[derive(Default)]
pub(super) struct DistributedBreakers {
    by_name: Mutex<BTreeMap<&'static str, Arc<Breaker>>>,
    /// Notified at each own opening of one of them.
    opened: Arc<Notify>,
    /// Whether a task publishes their openings.
    are_watched: AtomicBool,
}

/// Returns a problem for each part of a function with `distributed`, for a server without a shared state.
pub(crate) fn unshared_parts(site: &Site, policy: &Policy) -> Vec<String> {
    let problem = |part: &str| {
        format!(
            "{}: `{}` has `{part}(.., distributed)`, and there is no shared state; set one with `.redis(url)` of \
             `resilient-redis`, or with `RESILIENT_REDIS_URL` and `.redis_from_env()`, or set `RESILIENT_REPLICAS=1` \
             if there is one replica",
            site.location(),
            site.name()
        )
    };
    let rate_limit = policy.rate_limit.is_some_and(|rate_limit| rate_limit.distributed).then(|| problem("rate_limit"));
    let breaker = policy.breaker.is_some_and(|breaker| breaker.distributed).then(|| problem("breaker"));
    rate_limit.into_iter().chain(breaker).collect()
}

impl Registry {
    /// Logs each function with `distributed`, those that are bound and those that will be: a start has found that there
    /// are other replicas and no shared state.
    pub(crate) fn forbid_distributed(&self) {
        self.is_unshared.store(true, Ordering::Relaxed);
        for function in self.described() {
            self.check_shared_state(&function.site, &function.policy);
        }
        self.log_diagnostics();
    }

    /// Records a function that shares something with other replicas without a shared state.
    pub(super) fn check_shared_state(&self, site: &Site, policy: &Policy) {
        if self.lacks_shared_state() {
            for line in unshared_parts(site, policy) {
                self.lock().diagnostics.record(&line);
            }
        }
    }

    /// Returns whether there are other replicas and no shared state.
    pub(super) fn lacks_shared_state(&self) -> bool {
        self.is_unshared.load(Ordering::Relaxed) && self.replicas.get().is_none()
    }

    /// Marks a breaker as distributed.
    pub(super) fn distribute(&self, breaker: &Arc<Breaker>) {
        breaker.distribute(&self.distributed.opened);
        let mut by_name = self.distributed.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.entry(breaker.name()).or_insert_with(|| Arc::clone(breaker));
    }

    /// Returns the breakers that are distributed so far, sorted by name.
    pub(crate) fn distributed_breakers(&self) -> Vec<Arc<Breaker>> {
        let by_name = self.distributed.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.values().cloned().collect()
    }

    /// Returns the words of the parts that did without the shared state when they last needed it.
    #[cfg(feature = "http")]
    pub(crate) fn degraded_parts(&self) -> Vec<&'static str> {
        self.replicas.get().map_or_else(Vec::new, |replicas| replicas.degraded_parts())
    }

    /// Returns what is notified when a distributed breaker opens, to the first caller only.
    pub(crate) fn watch_openings(&self) -> Option<Arc<Notify>> {
        let is_first = !self.distributed.are_watched.swap(true, Ordering::Relaxed);
        is_first.then(|| Arc::clone(&self.distributed.opened))
    }
}
