//! Which context is the current one, on this thread, during this poll.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::CallContext;

thread_local! {
    static CURRENT: RefCell<Option<CallContext>> = const { RefCell::new(None) };
}

impl CallContext {
    /// The context of the call that is running here, if one is.
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

/// Whether there is a current context.
#[inline]
pub(crate) fn is_inside_a_call() -> bool {
    CURRENT.try_with(|current| current.borrow().is_some()).unwrap_or(false)
}

/// Makes `slot` the current context until the guard is dropped; then both are as before.
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
    // A thread that is being torn down has no context any more; there is nothing to swap with.
    let _ = CURRENT.try_with(|current| std::mem::swap(&mut *current.borrow_mut(), slot));
}

pin_project! {
    /// A future that runs within a context, if there is one: one place for the future in either case.
    struct Within<F> {
        context: Option<CallContext>,
        #[pin]
        future: F,
    }
}

/// Runs a future within a context, if it is given one.
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
