//! A handle to a breaker.

use std::ops::Deref;
use std::sync::Arc;

use super::Breaker;

/// A handle to a breaker that a function uses: one of the registry, or a `static` in your code.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::{Registry, ResilienceError, resilient};
/// use resilient_runtime::breaker::BreakerState;
///
/// #[resilient(breaker = "warehouse")]
/// async fn stock() -> Result<u32, ResilienceError> {
///     Ok(1)
/// }
///
/// stock().await.unwrap();
/// let breaker = Registry::global().breaker("warehouse").unwrap();
/// breaker.isolate(); // until you close it
/// assert!(stock().await.is_err());
/// breaker.close();
/// assert_eq!(breaker.state(), BreakerState::Closed);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct BreakerHandle(Held);

/// What a handle refers to.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    Named(Arc<Breaker>),
    Static(&'static Breaker),
}

impl BreakerHandle {
    pub(crate) const fn named(breaker: Arc<Breaker>) -> Self {
        Self(Held::Named(breaker))
    }

    pub(crate) const fn of_static(breaker: &'static Breaker) -> Self {
        Self(Held::Static(breaker))
    }

    pub(crate) const fn held(&self) -> &Held {
        &self.0
    }
}

impl Deref for BreakerHandle {
    type Target = Breaker;

    fn deref(&self) -> &Breaker {
        match &self.0 {
            Held::Named(breaker) => breaker,
            Held::Static(breaker) => breaker,
        }
    }
}
