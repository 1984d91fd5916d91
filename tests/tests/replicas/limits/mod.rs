//! Rate limits that several replicas of a server share: each registry is a replica, and a store in memory is what they
//! share.

mod keys;
mod outages;
mod reload;
mod sharing;
mod start;
mod store;
mod waits;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::error::LimitKind;
use resilient_runtime::policy::{RateLimitSettings, RateLimitUse};
use resilient_runtime::startup::{Handle, InvalidSettings};
use resilient_runtime::{Guard, Policy, Registry, Resilience, ResilienceError};
use tokio::time::Instant;

use store::Memory;

type Answer = Result<(), ResilienceError>;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A policy whose rate limit all replicas share under this name.
const fn limited(name: &'static str, settings: RateLimitSettings) -> Policy {
    Policy::new().rate_limit(RateLimitUse::new(settings).named(name).distributed())
}

fn variables(pairs: &[(&str, &str)]) -> Resilience {
    Resilience::from_variables(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
}

/// A replica: a registry whose settings were read.
struct Replica {
    registry: Arc<Registry>,
    guard: &'static Guard,
    handle: Handle,
}

impl Replica {
    fn start(store: &Memory, guard: &'static Guard, pairs: &[(&str, &str)]) -> Self {
        Self::started(variables(pairs).shared(store.clone()), guard)
    }

    fn started(resilience: Resilience, guard: &'static Guard) -> Self {
        let registry = Arc::new(Registry::new());
        let handle = resilience.guard(guard).start_with(&registry).expect("nothing is wrong");
        Self { registry, guard, handle }
    }

    /// Calls the guard. The body ends at once.
    async fn call(&self) -> Answer {
        self.calls(async { Ok(()) }).await
    }

    /// Calls the guard with this body.
    async fn calls(&self, body: impl Future<Output = Answer>) -> Answer {
        let mut body = Some(body);
        let call = self.guard.call(|| {
            let body = body.take();
            async move { body.expect("one attempt").await }
        });
        self.registry.clone().scope(call).await
    }

    /// Calls the guard, and returns how long that took as well.
    async fn timed(&self) -> (Answer, Duration) {
        let started = Instant::now();
        (self.call().await, started.elapsed())
    }

    /// How often each part did without the store, if that is exported.
    fn degraded(&self, part: &str) -> Option<u64> {
        let text = resilient_runtime::export::prometheus::text(&self.registry);
        let series = format!("resilient_distributed_degraded_total{{part=\"{part}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok())
    }
}

/// Returns the time after which a rate limit admits the next call, from a rejection.
fn retry_after(answer: &Answer) -> Duration {
    match answer {
        Err(ResilienceError::Overloaded { limit: LimitKind::RateLimit, retry_after, .. }) => {
            retry_after.expect("a time")
        }
        other => panic!("{other:?}"),
    }
}

fn problems(refused: Result<Handle, InvalidSettings>) -> Vec<String> {
    refused.expect_err("refused").problems().to_vec()
}
