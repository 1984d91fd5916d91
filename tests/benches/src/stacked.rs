//! The breaker, retry, time limiter and bulkhead of tower-resilience in one stack of layers, without its metrics and
//! spans. A tool's function is called through a shared reference, so each call clones the stack, because
//! `Service::call` takes `&mut self`.

use std::time::Duration;

use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_resilience::bulkhead::BulkheadLayer;
use tower_resilience::circuitbreaker::CircuitBreakerLayer;
use tower_resilience::retry::RetryLayer;
use tower_resilience::timelimiter::{TimeLimiterError, TimeLimiterLayer};

use crate::Error;

/// A stack of layers around one function.
pub trait Stack:
    Service<u64, Response = u64, Error: std::fmt::Debug + Send, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S: Service<u64, Response = u64, Error: std::fmt::Debug + Send, Future: Send> + Clone + Send + Sync + 'static> Stack
    for S
{
}

/// Guards a function with a breaker that opens after five failures, for an hour.
///
/// # Panics
/// If the crate rejects these settings.
pub fn guarded<F, R>(function: F) -> impl Stack
where
    F: Fn(u64) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<u64, Error>> + Send + 'static,
{
    let breaker = CircuitBreakerLayer::builder()
        .consecutive_failures(5)
        .wait_duration_in_open(Duration::from_secs(3_600))
        .build()
        .expect("settings");
    let retry = RetryLayer::builder()
        .max_attempts(4)
        .exponential_backoff(Duration::from_secs(1))
        .retry_on(|error| matches!(error, TimeLimiterError::Timeout))
        .build();
    let limiter = TimeLimiterLayer::builder().timeout_duration(Duration::from_secs(30)).build();
    let bulkhead = BulkheadLayer::builder().max_concurrent_calls(64).build().expect("settings");
    ServiceBuilder::new().layer(breaker).layer(retry).layer(limiter).layer(bulkhead).service(service_fn(function))
}

/// Calls a guarded function, as a tool does that shares it with other calls.
///
/// # Errors
/// Those of the stack.
pub async fn call<S: Stack>(stack: &S, n: u64) -> Result<u64, S::Error> {
    stack.clone().oneshot(n).await
}
