//! What replicas share, at start.

use std::num::NonZeroU32;
use std::sync::Arc;

use resilient_policy::Policy;

use super::{Handle, Resilience, hints};
use crate::keyed_hash::KeyedHash;
use crate::panics::catch_panic;
use crate::registry::{Registry, unshared_parts};
use crate::replicas::{Replicas, SharedState};
use crate::settings::ReplicaVariables;
use crate::site::Site;

impl Resilience {
    /// Sets the state that all replicas of the server share, which `distributed` in `rate_limit(..)` and `breaker(..)`
    /// needs. The crate `resilient-redis` has one in Redis, with methods for it.
    ///
    /// [`start`](Self::start) refuses a known function with `distributed` if there is no shared state, unless
    /// `RESILIENT_REPLICAS` is 1. If a function is only known later, it is logged once as `config.invalid`, and its
    /// limit and its breaker are local.
    ///
    /// # Rate limits
    ///
    /// The first attempt of a call requests a permit of the shared state, unless the breaker of the call is open and
    /// rejects it. A rejection is the same error as that of a local limit, and calls of the same key are rejected
    /// without the shared state until its `retry_after` is over.
    ///
    /// A call waits at most 50 ms, and not beyond its deadline. Without an answer in this time, or with an error, the
    /// replica decides alone: it allows the rate and the burst divided by the number of replicas in
    /// `RESILIENT_REPLICAS`, or all of them if that is not set. After three failures in a row, calls skip the shared
    /// state for a second; then one call each second tries it, until it answers. Calls with less than 50 ms left are
    /// judged separately, so that their failures do not matter to other calls.
    /// `resilient_distributed_degraded_total{part="rate_limit"}` counts the decisions without the shared state, and the
    /// log has `distributed.degraded` and `distributed.recovered`.
    ///
    /// A call that is cancelled while it waits ends at once. Its permit may be used up.
    ///
    /// # Breakers
    ///
    /// When a closed breaker opens because of failures or slow calls in this replica, the others know it after about a
    /// second. It arms their closed breakers of the same name: the next failure opens an armed breaker, with the reason
    /// `peer`, and the next success disarms it. No call is rejected because of the news alone, and each opening arms a
    /// breaker once. The breakers of partition keys are not shared.
    ///
    /// A task reads the shared state once a second. Each of its requests may take 500 ms. Without an answer, breakers
    /// work as if they were not shared; `resilient_distributed_degraded_total{part="breaker"}` counts these requests.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use std::time::{Duration, Instant};
    ///
    /// use resilient_runtime::policy::{RateLimitSettings, RateLimitUse};
    /// use resilient_runtime::replicas::{Opening, OpeningId, PermitRequest, SharedFuture, SharedState, Taken};
    /// use resilient_runtime::{Guard, Policy, Resilience, ResilienceError};
    ///
    /// /// Allows one call in each interval, for all limits and keys together. A real one is on another machine.
    /// #[derive(Debug, Default)]
    /// struct Memory(Mutex<Option<Instant>>);
    ///
    /// impl SharedState for Memory {
    ///     fn take<'a>(&'a self, request: &'a PermitRequest) -> SharedFuture<'a, Taken> {
    ///         let (now, mut next) = (Instant::now(), self.0.lock().unwrap());
    ///         let taken = match *next {
    ///             Some(next) if now < next => Taken::Rejected { retry_after: next - now },
    ///             _ => {
    ///                 *next = Some(now + request.settings.interval());
    ///                 Taken::Granted
    ///             }
    ///         };
    ///         Box::pin(async move { Ok(taken) })
    ///     }
    ///
    ///     fn publish<'a>(&'a self, _: &'a Opening) -> SharedFuture<'a, ()> {
    ///         Box::pin(async { Ok(()) })
    ///     }
    ///
    ///     fn openings<'a>(&'a self, breakers: &'a [&'static str]) -> SharedFuture<'a, Vec<Option<OpeningId>>> {
    ///         Box::pin(async { Ok(vec![None; breakers.len()]) })
    ///     }
    ///
    ///     fn secret(&self) -> [u8; 16] {
    ///         *b"known everywhere"
    ///     }
    /// }
    ///
    /// const HOURLY: RateLimitSettings = RateLimitSettings::new(1, Duration::from_secs(3_600));
    /// static SEARCH: Guard =
    ///     Guard::new("search", Policy::new().rate_limit(RateLimitUse::new(HOURLY).named("search").distributed()));
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// Resilience::from_env().shared(Memory::default()).guard(&SEARCH).start().unwrap();
    /// let search = || SEARCH.call(|| async { Ok::<_, ResilienceError>(7) });
    /// assert_eq!(search().await, Ok(7));
    /// assert!(matches!(search().await, Err(ResilienceError::Overloaded { .. })));
    /// # });
    /// ```
    pub fn shared(mut self, state: impl SharedState) -> Self {
        self.shared = Some(Arc::new(state));
        self
    }

    /// Declares that the server has one replica, as `RESILIENT_REPLICAS=1` does, unless the variable has a number. Then
    /// `distributed` needs no shared state: limits and breakers of the process are those of the whole server.
    ///
    /// Call it if there is never more than one process: in a server over stdio, or in a demo.
    pub fn single_replica(mut self) -> Self {
        self.replica_variables.count.get_or_insert(NonZeroU32::MIN);
        self
    }

    /// Returns the variables `RESILIENT_REDIS_URL` and `RESILIENT_REDIS_PREFIX`.
    #[doc(hidden)]
    pub fn redis_variables(&self) -> (Option<&str>, Option<&str>) {
        (self.replica_variables.redis_url.as_deref(), self.replica_variables.redis_prefix.as_deref())
    }
}

/// What the start knows about the replicas of the server.
#[derive(Clone, Copy)]
pub(super) struct Sharing {
    /// Whether functions may have `distributed`.
    allows_distributed: bool,
}

/// A shared state without problems, and its secret.
pub(super) struct Ready {
    replicas: Arc<Replicas>,
    secret: [u8; 16],
}

/// Checks the shared state, and reports what is wrong with it. The registry gets it when the start has succeeded, so
/// that a start which is refused changes nothing.
pub(super) fn check(
    shared: Option<Arc<dyn SharedState>>,
    variables: &ReplicaVariables,
    registry: &Registry,
    problems: &mut Vec<String>,
) -> (Sharing, Option<Ready>) {
    let is_there = shared.is_some() || registry.replicas.get().is_some();
    if !is_there {
        variables.warn_unused();
    }
    let is_alone = variables.count.is_some_and(|count| count.get() == 1);
    let ready = shared.and_then(|state| {
        let checked = check_state(state, variables.count, registry);
        checked.map_err(|found| problems.extend(found)).ok()
    });
    (Sharing { allows_distributed: is_there || is_alone }, ready)
}

fn check_state(
    state: Arc<dyn SharedState>,
    count: Option<NonZeroU32>,
    registry: &Registry,
) -> Result<Ready, Vec<String>> {
    if registry.replicas.get().is_some() {
        return Err(vec!["the server already has a shared state; call `Resilience::start` once".into()]);
    }
    let Some((problems, secret)) = catch_panic(|| (state.problems(), state.secret())) else {
        return Err(vec!["the shared state that `Resilience::shared` received panicked".into()]);
    };
    let problems: Vec<_> = problems.into_iter().chain(hints::problem()).collect();
    if problems.is_empty() {
        Ok(Ready { replicas: Arc::new(Replicas::new(state, count)), secret })
    } else {
        Err(problems)
    }
}

impl Sharing {
    /// Reports a function that shares something with other replicas, if there is nothing to share it in.
    pub(super) fn check(self, site: &Site, policy: &Policy, problems: &mut Vec<String>) {
        if !self.allows_distributed {
            problems.extend(unshared_parts(site, policy));
        }
    }

    /// Sets the shared state of the registry of the handle, and starts what runs in the background.
    pub(super) fn start(self, ready: Option<Ready>, handle: &Handle) {
        let registry = handle.registry();
        if let Some(Ready { replicas, secret }) = ready {
            KeyedHash::share(secret);
            // If another start was faster, its state is shared.
            if registry.replicas.set(Arc::clone(&replicas)).is_ok() {
                replicas.connect();
            }
        }
        if !self.allows_distributed {
            registry.forbid_distributed();
        }
        hints::start(handle);
    }
}
