//! The connection of a store, and how calls end in bounded time.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{ScriptInvocation, Value};
use resilient_runtime::deferred::StoreError;

use super::error::Fault;
use super::identity::{self, Identity};
use super::names::Names;
use crate::Redis;

/// The maximum duration of a call.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a call tries again because of other clients.
const CONFLICTS: Duration = Duration::from_secs(4);

/// A connection, the names of the keys, and the identity of the store if it is known.
pub(super) struct Client {
    pub(super) redis: Redis,
    pub(super) names: Names,
    identity: Mutex<Option<Arc<Identity>>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("redis", &self.redis).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(redis: Redis) -> Self {
        Self { names: Names::new(&redis), redis, identity: Mutex::default() }
    }

    /// Runs a script.
    pub(super) async fn invoke(&self, call: &ScriptInvocation<'_>) -> Result<Value, Fault> {
        Ok(call.invoke_async(&mut self.redis.data()?).await?)
    }

    /// Returns the identity of the store, and reads it if it is not known.
    pub(super) async fn identity(&self) -> Result<Arc<Identity>, Fault> {
        let known = self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let read = Arc::new(identity::read(&self.redis, &self.names).await?);
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&read));
        Ok(read)
    }

    /// After a fault: waits a moment if it makes sense to read again and try again, and otherwise returns the error.
    pub(super) async fn again(&self, began: Instant, fault: Fault) -> Result<(), StoreError> {
        match fault {
            Fault::OtherStore => *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = None,
            Fault::Conflict => {}
            fault => return Err(fault.into()),
        }
        if began.elapsed() > CONFLICTS {
            return Err(Fault::Conflict.into());
        }
        // Random, so that several clients do not read in step.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(200..3_000))).await;
        Ok(())
    }
}

/// Returns the number after this one, for tokens and versions: higher by a random amount of up to 32 bits.
///
/// A Redis that was restored, or that took over before it had the last changes, repeats them. A client that knows a
/// number of the lost ones must not take another change for it.
pub(super) fn after(number: u64) -> u64 {
    number.saturating_add(fastrand::u64(1..1 << 32))
}

/// Limits the duration of a call.
pub(super) async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(ended) => ended,
        Err(_) => Err(Fault::Late.into()),
    }
}

/// Repeats an attempt while other clients interfere, in bounded time. An attempt evaluates to a `Result` with a
/// [`Fault`]. A macro, because a function could not say that the future of a closure is `Send`.
macro_rules! attempt {
    ($from:expr, |$client:ident, $identity:ident| $attempt:expr) => {
        Box::pin($crate::deferred::client::within(async move {
            let began = std::time::Instant::now();
            let $client = &*$from;
            loop {
                let attempt = async {
                    let identity = $client.identity().await?;
                    let $identity = &*identity;
                    $attempt
                };
                match attempt.await {
                    Ok(done) => return Ok(done),
                    Err(fault) => $client.again(began, fault).await?,
                }
            }
        }))
    };
}

pub(super) use attempt;
