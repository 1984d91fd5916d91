//! The current context of this thread during a poll.

use std::cell::RefCell;
use std::mem::{forget, replace};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{CallContext, Request};
use crate::clock::Moment;

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

/// Makes a new context the current one, unless there is one already. `make` creates it where it stays.
#[inline]
pub(crate) fn enter_root(make: impl FnOnce() -> CallContext) -> Option<EnteredRoot> {
    enter_if_free(|| Some(make()))
}

/// Makes the context of a call that has none around it the current one again, unless there is one now.
#[inline]
pub(crate) fn enter_root_again(slot: &mut Option<CallContext>) -> Option<EnteredRoot> {
    enter_if_free(|| slot.take())
}

#[inline]
fn enter_if_free(context: impl FnOnce() -> Option<CallContext>) -> Option<EnteredRoot> {
    let is_entered = CURRENT.try_with(|current| {
        let current = &mut *current.borrow_mut();
        let is_free = current.is_none();
        if is_free {
            // Without the code that would drop a context.
            forget(replace(current, context()));
        }
        is_free
    });
    // Dropping the guard removes the current context, so it is created only after that was entered.
    (is_entered == Ok(true)).then(|| EnteredRoot(()))
}

/// The only context of this thread is the current one until this is dropped.
pub(crate) struct EnteredRoot(());

impl EnteredRoot {
    /// Leaves the context, and moves it to a slot, which is empty.
    pub(crate) fn leave_into(self, slot: &mut Option<CallContext>) {
        // Nothing is left to remove when the guard is dropped.
        forget(self);
        let _ = CURRENT.try_with(|current| forget(replace(slot, current.borrow_mut().take())));
    }

    /// Leaves the context if nothing has to be dropped with it: no call inside the attempt has shared it.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 instructions more")]
    #[inline(always)]
    pub(crate) fn end(self) -> Result<(), Self> {
        let is_left = CURRENT.try_with(|current| {
            let current = &mut *current.borrow_mut();
            let holds_nothing = current.as_ref().is_none_or(CallContext::holds_nothing);
            if holds_nothing {
                forget(current.take());
            }
            holds_nothing
        });
        if is_left == Ok(true) {
            forget(self);
            Ok(())
        } else {
            Err(self)
        }
    }
}

impl Drop for EnteredRoot {
    fn drop(&mut self) {
        let context = CURRENT.try_with(|current| current.borrow_mut().take());
        // After the borrow, since dropping it may run foreign code.
        drop(context);
    }
}

/// Turns the current context into that of the first attempt of the call that answers its request, if it is the context of a
/// request in which nothing has run, and `claim` lets it. The attempt ends by `end`, or by the deadline of the request.
#[inline]
pub(crate) fn enter_request(end: Moment, claim: impl FnOnce(&Request) -> bool) -> Option<EnteredRequest> {
    let begin = |current: &mut Option<CallContext>| current.as_mut()?.begin_first_attempt(end, claim);
    let request_deadline = CURRENT.try_with(|current| begin(&mut current.borrow_mut())).ok().flatten()?;
    Some(EnteredRequest { request_deadline })
}

/// The context of a request is that of the first attempt of its call until this is dropped.
pub(crate) struct EnteredRequest {
    request_deadline: Moment,
}

impl EnteredRequest {
    pub(crate) const fn request_deadline(&self) -> Moment {
        self.request_deadline
    }

    /// Leaves the attempt, and moves its context to a slot, which is empty.
    pub(crate) fn leave_into(self, slot: &mut Option<CallContext>) {
        let left = self.leave();
        forget(self);
        forget(replace(slot, left));
    }

    /// Leaves the attempt if no call inside it has shared its context. `report` is called with the request.
    #[inline]
    pub(crate) fn end(self, report: impl FnOnce(&Request)) -> Result<(), Self> {
        let end = |current: &mut Option<CallContext>| {
            let Some(current) = current.as_mut().filter(|current| current.enclosing.is_none()) else { return false };
            current.request.as_deref().inspect(|request| report(request));
            (current.attempt, current.is_running, current.deadline) = (0, false, self.request_deadline);
            true
        };
        if CURRENT.try_with(|current| end(&mut current.borrow_mut())) == Ok(true) {
            forget(self);
            Ok(())
        } else {
            Err(self)
        }
    }

    fn leave(&self) -> Option<CallContext> {
        let leave =
            |current: &mut Option<CallContext>| Some(current.as_mut()?.replace_first_attempt(self.request_deadline));
        CURRENT.try_with(|current| leave(&mut current.borrow_mut())).ok().flatten()
    }
}

impl Drop for EnteredRequest {
    fn drop(&mut self) {
        // After the borrow, since dropping it may run foreign code.
        drop(self.leave());
    }
}

fn swap(slot: &mut Option<CallContext>) {
    // The thread-local is gone while a thread is torn down, and so is its context.
    let _ = CURRENT.try_with(|current| {
        let current = &mut *current.borrow_mut();
        // One of them is usually empty, and half of a swap is enough.
        match (&current, &slot) {
            (None, _) => forget(replace(current, slot.take())),
            (Some(_), None) => forget(replace(slot, current.take())),
            (Some(_), Some(_)) => std::mem::swap(current, slot),
        }
    });
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
