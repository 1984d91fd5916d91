//! The functions with `#[resilient]`: retry, breaker, timeout, panic barrier, context, statistics.

use std::pin::pin;
use std::time::Duration;

use resilient_runtime::__private::{BreakerUse, CallCell, Location, Policy, Retry, Site, Special, repeat};
use resilient_runtime::policy::{BreakerSettings, Effect};
use resilient_runtime::{Breaker, resilient};

use crate::{Error, bare};

/// Is ready at the first poll.
///
/// # Errors
/// None.
#[resilient(retry = 3, breaker = "ready", timeout = "30s", read_only)]
pub async fn ready(n: u64) -> Result<u64, Error> {
    bare::ready(n).await
}

/// Has only a timeout.
///
/// # Errors
/// None.
#[resilient(timeout = "30s")]
pub async fn timed(n: u64) -> Result<u64, Error> {
    bare::ready(n).await
}

/// Has a timeout and a breaker.
///
/// # Errors
/// None.
#[resilient(timeout = "30s", breaker = "ready")]
pub async fn broken(n: u64) -> Result<u64, Error> {
    bare::ready(n).await
}

/// Is ready at the second poll.
///
/// # Errors
/// None.
#[resilient(retry = 3, breaker = "pending", timeout = "30s", read_only)]
pub async fn pending(n: u64) -> Result<u64, Error> {
    bare::pending(n).await
}

/// Has a fresh answer after its first call.
///
/// # Errors
/// None.
#[resilient(retry = 3, breaker = "ready", timeout = "30s", cache(fresh = "1h", key = 0))]
pub async fn fresh(n: u64) -> Result<u64, Error> {
    bare::ready(n).await
}

/// Like [`ready`], with a bulkhead.
///
/// # Errors
/// None.
#[resilient(retry = 3, breaker = "limited", timeout = "30s", bulkhead = 64, read_only)]
pub async fn limited(n: u64) -> Result<u64, Error> {
    bare::ready(n).await
}

/// Like [`pending`], with a bulkhead.
///
/// # Errors
/// None.
#[resilient(retry = 3, breaker = "limited", timeout = "30s", bulkhead = 64, read_only)]
pub async fn limited_pending(n: u64) -> Result<u64, Error> {
    bare::pending(n).await
}

/// Is rejected after its first calls, for an hour.
///
/// # Errors
/// Always.
#[resilient(retry = 3, breaker(name = "open", failures = 5, open = "1h"), timeout = "30s", read_only)]
pub async fn open(n: u64) -> Result<u64, Error> {
    bare::failing(n).await
}

/// The breaker of [`rejected`].
pub static OPEN: Breaker = Breaker::new("alone", BreakerSettings::new().failures(5).open(Duration::from_secs(3_600)));

/// Is rejected by an open breaker, without any other guard.
///
/// # Errors
/// Always.
pub async fn rejected(n: u64) -> Result<u64, Error> {
    OPEN.call(bare::failing(n)).await
}

/// A number of functions, each with a separate breaker.
#[derive(Debug)]
pub struct Many(Vec<&'static Site>);

impl Many {
    /// Creates the functions. Their records are leaked, like the `static` that the macro writes for each function. Ten
    /// thousand functions in source code would take minutes to compile.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let site = |n: usize| {
            let name: &'static str = format!("tool_{n}").leak();
            let policy = Policy::new()
                .timeout(Duration::from_secs(30))
                .retry(Retry::new(3))
                .breaker(BreakerUse::named(name))
                .effect(Effect::ReadOnly);
            let location = Location { module: module_path!(), file: file!(), line: line!() };
            &*Box::leak(Box::new(Site::new(name, location, policy)))
        };
        Self((0..count).map(site).collect())
    }

    /// Calls one of the functions. It is looked up at once, not when the future is polled.
    ///
    /// # Errors
    /// None.
    pub fn call(&self, tool: usize, n: u64) -> impl Future<Output = Result<u64, Error>> + use<> {
        let site = self.0[tool];
        async move {
            let call = pin!(CallCell::new(site.entry()));
            repeat(call, |_| Some(bare::ready(n)), Special::<Result<u64, Error>>::HERE.__look()).await
        }
    }
}
