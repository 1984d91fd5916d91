//! Fallbacks: a chain of steps that are tried in turn after the attempts have failed.

mod finish;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use resilient_policy::Source;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Special;
pub(super) use finish::finish;
#[cfg(feature = "cache")]
pub(super) use finish::is_degraded;

use super::call::{Call, Substitutes, events};
use crate::answer::Fallible;
use crate::clock::{self, Moment};
use crate::context::{self, CallContext};
use crate::error::{ToolError, public_text};
use crate::panics::catch_panic;

/// One step of a chain, or a whole chain.
///
/// It is polled by hand. With an `async fn` in the trait, the compiler would check the function against the answer with
/// all lifetimes erased, which fails for answers that borrow.
///
/// The two types have no bounds here, so that a type that does not fit is one error of the call and not one of each step.
pub trait Step<G, E> {
    /// Stores a good answer.
    fn keep(&self, good: &G);

    /// Removes the stored answer: the object that it describes does not exist any more.
    fn forget(&self);

    /// Tries to answer instead of the error. Without an answer, `error` is set again.
    fn poll_serve(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chance: &mut Chance<E>,
        error: &mut Option<E>,
    ) -> Poll<Option<G>>;
}

/// The answer of a function, and the types of the good answers and errors in it.
#[derive(Debug)]
pub struct Sides<R, G, E>(fn(R) -> Result<G, E>);

impl<R, G, E> Clone for Sides<R, G, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, G, E> Copy for Sides<R, G, E> {}

/// Returns the sides of a function with this answer. Called once, so that an answer that cannot have a fallback is one
/// error.
#[must_use]
pub const fn sides<R: Fallible>(_: Special<R>) -> Sides<R, R::Good, R::Error> {
    Sides(R::open)
}

/// The end of a chain.
#[derive(Debug)]
pub struct End;

impl<G, E> Step<G, E> for End {
    fn keep(&self, _: &G) {}

    fn forget(&self) {}

    fn poll_serve(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut Chance<E>, _: &mut Option<E>) -> Poll<Option<G>> {
        Poll::Ready(None)
    }
}

pin_project! {
    /// A step and the rest of the chain.
    #[derive(Debug)]
    pub struct Then<A, B> {
        #[pin]
        first: A,
        #[pin]
        rest: B,
        is_at_rest: bool,
    }
}

impl<A, B> Then<A, B> {
    /// Tries `first`, then `rest`.
    pub const fn new(first: A, rest: B) -> Self {
        Self { first, rest, is_at_rest: false }
    }
}

impl<G, E, A: Step<G, E>, B: Step<G, E>> Step<G, E> for Then<A, B> {
    fn keep(&self, good: &G) {
        self.first.keep(good);
        self.rest.keep(good);
    }

    fn forget(&self) {
        self.first.forget();
        self.rest.forget();
    }

    fn poll_serve(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chance: &mut Chance<E>,
        error: &mut Option<E>,
    ) -> Poll<Option<G>> {
        let this = self.project();
        if !*this.is_at_rest {
            let answer = ready!(this.first.poll_serve(cx, chance, error));
            if answer.is_some() || chance.cancelled {
                return Poll::Ready(answer);
            }
            *this.is_at_rest = true;
        }
        this.rest.poll_serve(cx, chance, error)
    }
}

/// A function of the user, called with the error and a limit.
#[derive(Debug)]
pub struct Function<R, G, E, F, A> {
    sides: Sides<R, G, E>,
    make: Option<F>,
    /// Boxed: few calls run it, but without the box every call would be large enough for it.
    running: Option<Pin<Box<A>>>,
}

// `make` is called and never polled, and the future is pinned in its box.
impl<R, G, E, F, A> Unpin for Function<R, G, E, F, A> {}

impl<R, G, E, F: FnOnce(E, Limit) -> A, A> Function<R, G, E, F, A> {
    /// Creates a step that calls a function with `make`. The future returns the error with the answer.
    pub const fn new(sides: Sides<R, G, E>, make: F) -> Self {
        Self { sides, make: Some(make), running: None }
    }
}

impl<R, G, E, F, A> Step<G, E> for Function<R, G, E, F, A>
where
    F: FnOnce(E, Limit) -> A,
    A: Future<Output = (E, Option<R>)>,
{
    fn keep(&self, _: &G) {}

    fn forget(&self) {}

    fn poll_serve(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chance: &mut Chance<E>,
        error: &mut Option<E>,
    ) -> Poll<Option<G>> {
        if chance.substitutes < Substitutes::All {
            return Poll::Ready(None);
        }
        if let (Some(make), Some(error)) = (self.make.take(), error.take()) {
            self.running = Some(Box::pin(make(error, chance.limit())));
        }
        let Some(running) = &mut self.running else { return Poll::Ready(None) };
        let (first, answer) = ready!(running.as_mut().poll(cx));
        *error = Some(first);
        if chance.cancellation.as_ref().is_some_and(CancellationToken::is_cancelled) {
            chance.cancelled = true;
            return Poll::Ready(None);
        }
        Poll::Ready(match answer.map(self.sides.0) {
            Some(Ok(good)) => {
                chance.served = Some((Source::Function, None));
                Some(good)
            }
            Some(Err(second)) => {
                chance.failed(&second);
                None
            }
            None => {
                events::fallback_failed(chance.tool, chance.context.as_ref(), "no answer in time, or a panic");
                None
            }
        })
    }
}

/// A fixed value, created on demand.
#[derive(Debug)]
pub struct Value<F>(Option<F>);

impl<F> Value<F> {
    /// Creates a step that answers with the value of `make`.
    pub const fn new<R, G, E>(_: Sides<R, G, E>, make: F) -> Self
    where
        F: FnOnce() -> G,
    {
        Self(Some(make))
    }
}

// `make` is called and never polled.
impl<F> Unpin for Value<F> {}

impl<G, E, F: FnOnce() -> G> Step<G, E> for Value<F> {
    fn keep(&self, _: &G) {}

    fn forget(&self) {}

    fn poll_serve(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        chance: &mut Chance<E>,
        _: &mut Option<E>,
    ) -> Poll<Option<G>> {
        if chance.substitutes < Substitutes::CachedOrValue {
            return Poll::Ready(None);
        }
        let good = {
            let _context = context::enter(&mut chance.context);
            self.0.take().and_then(catch_panic)
        };
        if good.is_some() {
            chance.served = Some((Source::Value, None));
        }
        Poll::Ready(good)
    }
}

/// The call as a step of the chain sees it, and the report of the steps.
#[derive(Debug)]
pub struct Chance<E> {
    tool: &'static str,
    substitutes: Substitutes,
    /// The end of the limit that all functions of the chain share.
    until: Instant,
    context: Option<CallContext>,
    cancellation: Option<CancellationToken>,
    cancelled: bool,
    pub(crate) served: Option<(Source, Option<Duration>)>,
    public_error: Option<String>,
    as_mcp_error: fn(&E) -> &dyn ToolError,
}

impl<E> Chance<E> {
    fn of(call: &Call<'_>, substitutes: Substitutes, as_mcp_error: fn(&E) -> &dyn ToolError) -> Self {
        let context = call.context().cloned();
        let until = clock::later(Instant::now(), call.policy().fallback_limit());
        Self {
            tool: call.site().name(),
            substitutes,
            // The enclosing attempt may end earlier.
            until: call.outer_deadline().map_or(until, |outer| until.min(outer.instant())),
            cancellation: context.as_ref().and_then(CallContext::request).map(|request| request.cancellation.clone()),
            context,
            cancelled: false,
            served: None,
            public_error: None,
            as_mcp_error,
        }
    }

    fn limit(&self) -> Limit {
        let mut context = self.context.clone();
        if let Some(context) = &mut context {
            // The deadline of the call may have passed; calls of the function have the function's deadline.
            context.set_deadline(Moment::of(self.until));
        }
        Limit { until: self.until, context, cancellation: self.cancellation.clone() }
    }

    /// Adds the warnings of a kept answer.
    #[cfg(feature = "cache")]
    pub(super) fn warn(&self, warnings: &[String]) {
        if let Some(context) = &self.context {
            for warning in warnings {
                context.warn(warning);
            }
        }
    }

    fn failed(&mut self, error: &E) {
        let error = (self.as_mcp_error)(error);
        catch_panic(|| {
            events::fallback_failed(self.tool, self.context.as_ref(), &crate::error::log_chain(&error));
        });
        self.public_error = catch_panic(|| public_text(&format!("{}: {}", error.code(), error.public_message())));
    }
}

/// The limit of a fallback function.
#[derive(Debug)]
pub struct Limit {
    until: Instant,
    context: Option<CallContext>,
    cancellation: Option<CancellationToken>,
}

impl Limit {
    /// Runs the function within the limit. Returns `None` if it timed out, was cancelled or panicked.
    pub async fn run<R>(self, function: impl Future<Output = R>) -> Option<R> {
        let mut running = pin!(Some(function));
        let ended = {
            let caught = poll_fn(|cx| match running.as_mut().as_pin_mut() {
                Some(function) => match catch_panic(|| function.poll(cx)) {
                    Some(polled) => polled.map(Some),
                    None => Poll::Ready(None),
                },
                None => Poll::Ready(None),
            });
            let work = async {
                match self.context {
                    Some(context) => context.instrument(caught).await,
                    None => caught.await,
                }
            };
            let limited = tokio::time::timeout_at(self.until, work);
            match self.cancellation {
                Some(cancellation) => cancellation.run_until_cancelled_owned(limited).await,
                None => Some(limited.await),
            }
        };
        // Dropping the function may panic.
        catch_panic(|| running.set(None));
        ended?.ok()?
    }
}
