//! The current context of this thread during a poll.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::CallContext;

thread_local! {
    static CURRENT: RefCell<Option<CallContext>> = const { RefCell::new(None) };
}

impl CallContext {
    /// Returns the context of the running call, or `None` outside of a call.
    #[must_use]
    pub fn current() -> Option<Self> {
        let copy = |current: &mut Option<CallContext>| {
            let current = current.as_mut()?;
            current.share();
            Some(current.clone())
        };
        CURRENT.try_with(|current| copy(&mut current.borrow_mut())).ok().flatten()
    }
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
