//! The current context of this thread during a poll.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Span;

use super::CallContext;
use crate::registry::{self, Registry};

thread_local! {
    static CURRENT: RefCell<Option<CallContext>> = const { RefCell::new(None) };
}

pub(super) fn current() -> Option<CallContext> {
    let copy = |current: &mut Option<CallContext>| {
        let current = current.as_mut()?;
        current.share();
        Some(current.clone())
    };
    CURRENT.try_with(|current| copy(&mut current.borrow_mut())).ok().flatten()
}

/// Returns whether there is a current context.
#[inline]
pub(crate) fn is_inside_a_call() -> bool {
    CURRENT.try_with(|current| current.borrow().is_some()).unwrap_or(false)
}

/// Makes `slot` the current context until the guard is dropped, which restores the previous one.
pub(crate) fn enter(slot: &mut Option<CallContext>) -> Entered<'_> {
    swap(slot);
    Entered(slot)
}

pub(crate) struct Entered<'a>(&'a mut Option<CallContext>);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap(slot: &mut Option<CallContext>) {
    // The thread-local is gone while a thread is torn down, and so is its context.
    let _ = CURRENT.try_with(|current| std::mem::swap(&mut *current.borrow_mut(), slot));
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

pub(super) fn instrument<F: Future>(context: CallContext, future: F) -> Instrumented<F> {
    Instrumented { context: Some(context), span: Span::current(), registry: Registry::scoped(), future }
}

pin_project! {
    /// A future that runs in a context, if there is one. One type for both cases stores the future only once.
    struct Within<F> {
        context: Option<CallContext>,
        #[pin]
        future: F,
    }
}

/// Runs a future in a context, if there is one.
pub(crate) fn within<F: Future>(context: Option<CallContext>, future: F) -> impl Future<Output = F::Output> {
    Within { context, future }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.context.is_some().then(|| enter(this.context));
        this.future.poll(cx)
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _span = this.span.enter();
        let _entered = enter(this.context);
        let _registry = this.registry.is_some().then(|| registry::enter(this.registry));
        this.future.poll(cx)
    }
}
