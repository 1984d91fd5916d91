//! A future that takes a call's context, its span and its registry along.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Span;

use super::{Registry, scope};
use crate::context::{self, CallContext};

impl CallContext {
    /// Runs a future with this context and the current span, such as one that you spawn.
    pub fn instrument<F: Future>(self, future: F) -> Instrumented<F> {
        Instrumented { context: Some(self), span: Span::current(), registry: Registry::scoped(), future }
    }
}

pin_project! {
    /// A future that runs within a call's context. See [`CallContext::instrument`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// use resilient_runtime::{CallContext, ResilienceError, resilient};
    ///
    /// #[resilient]
    /// async fn in_a_task() -> Result<bool, ResilienceError> {
    ///     let call = CallContext::current().ok_or(ResilienceError::Cancelled)?;
    ///     let task = tokio::spawn(call.instrument(async { CallContext::current().is_some() }));
    ///     task.await.map_err(|_| ResilienceError::Cancelled)
    /// }
    /// assert_eq!(in_a_task().await, Ok(true));
    /// # }
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Instrumented<F> {
        context: Option<CallContext>,
        span: Span,
        registry: Option<Arc<Registry>>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _span = this.span.enter();
        let _entered = context::enter(this.context);
        let _registry = this.registry.is_some().then(|| scope::enter(this.registry));
        this.future.poll(cx)
    }
}
