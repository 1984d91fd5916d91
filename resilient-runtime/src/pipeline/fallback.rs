//! What answers when the guarded part could not: a chain of steps, each tried in turn.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use resilient_policy::{ErrorKind, Source};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Special;
use super::call::{AttemptResult, Call, events};
use crate::answer::{Fallible, Meaning};
use crate::clock::{self, Moment};
use crate::context::{self, CallContext, Degraded};
use crate::error::{ResilienceError, ToolError, public_text};
use crate::outcomes::Outcome;
use crate::panics::barrier;

/// One step of a chain, or a whole chain.
///
/// It is polled by hand instead of being an `async fn`: for the future of a trait's function the
/// compiler has to prove once more, with all lifetimes erased, that the function suits the answer,
/// which fails for answers that borrow.
///
/// Nothing is asked of the two types here: what is wrong with them is an error of the call as a whole, and would
/// be one of each step as well.
pub trait Step<G, E> {
    /// Takes note of a good answer.
    fn keep(&self, good: &G);

    /// Takes note that there is no such thing any more.
    fn forget(&self);

    /// Tries to answer instead of the error, which is there again where there is no answer.
    fn poll_serve(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        chance: &mut Chance<E>,
        error: &mut Option<E>,
    ) -> Poll<Option<G>>;
}

/// What a chain is about: the answer of a function, and the good answers and errors in it.
#[derive(Debug)]
pub struct Sides<R, G, E>(fn(R) -> Result<G, E>);

impl<R, G, E> Clone for Sides<R, G, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, G, E> Copy for Sides<R, G, E> {}

/// Those of a function with this answer. Asked once, so that an answer that cannot have a fallback is one error.
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
    /// A step and what comes after it.
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
    /// First the one, then the other.
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

/// A function of the user's, given the error and the time it has.
#[derive(Debug)]
pub struct Function<R, G, E, F, A> {
    sides: Sides<R, G, E>,
    make: Option<F>,
    /// On the heap: few calls come here, and all of them would have to be large enough for it.
    running: Option<Pin<Box<A>>>,
}

// Never pinned itself: what makes the future is called, and the future is pinned where it is.
impl<R, G, E, F, A> Unpin for Function<R, G, E, F, A> {}

impl<R, G, E, F: FnOnce(E, Limit) -> A, A> Function<R, G, E, F, A> {
    /// The function that `make` calls, which hands the error back with the answer.
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
        if chance.kind == ErrorKind::Overloaded {
            // It would only add to the load.
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

/// A fixed value, made when it is needed.
#[derive(Debug)]
pub struct Value<F>(Option<F>);

impl<F> Value<F> {
    /// What `make` makes.
    pub const fn new<R, G, E>(_: Sides<R, G, E>, make: F) -> Self
    where
        F: FnOnce() -> G,
    {
        Self(Some(make))
    }
}

// Never pinned: what makes the value is called, not polled.
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
        let good = {
            let _context = context::enter(&mut chance.context);
            self.0.take().and_then(barrier)
        };
        if good.is_some() {
            chance.served = Some((Source::Value, None));
        }
        Poll::Ready(good)
    }
}

/// What a step may know of the call, and where it says what it did.
#[derive(Debug)]
pub struct Chance<E> {
    tool: &'static str,
    kind: ErrorKind,
    /// When the functions of the chain must have answered, all of them together.
    until: Instant,
    context: Option<CallContext>,
    cancellation: Option<CancellationToken>,
    cancelled: bool,
    pub(crate) served: Option<(Source, Option<Duration>)>,
    public_error: Option<String>,
    as_mcp_error: fn(&E) -> &dyn ToolError,
}

impl<E> Chance<E> {
    fn of(call: &Call<'_>, kind: ErrorKind, as_mcp_error: fn(&E) -> &dyn ToolError) -> Self {
        let context = call.context().cloned();
        let until = clock::later(Instant::now(), call.policy().fallback_limit());
        Self {
            tool: call.site().name(),
            kind,
            // The attempt around the call may end before.
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
            // The call's own deadline may have passed; what the function calls has what it has.
            context.set_deadline(Moment::of(self.until));
        }
        Limit { until: self.until, context, cancellation: self.cancellation.clone() }
    }

    fn failed(&mut self, error: &E) {
        let error = (self.as_mcp_error)(error);
        barrier(|| {
            events::fallback_failed(self.tool, self.context.as_ref(), &crate::error::log_chain(&error));
        });
        self.public_error = barrier(|| public_text(&format!("{}: {}", error.code(), error.public_message())));
    }
}

/// The time that a fallback function has.
#[derive(Debug)]
pub struct Limit {
    until: Instant,
    context: Option<CallContext>,
    cancellation: Option<CancellationToken>,
}

impl Limit {
    /// Runs the function within the limit. `None` where it did not end in time, was cancelled or
    /// panicked.
    pub async fn run<R>(self, function: impl Future<Output = R>) -> Option<R> {
        let mut running = pin!(Some(function));
        let ended = {
            let caught = poll_fn(|cx| match running.as_mut().as_pin_mut() {
                Some(function) => match barrier(|| function.poll(cx)) {
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
        // What is left of it may panic when it is dropped.
        barrier(|| running.set(None));
        ended?.ok()?
    }
}

/// Ends a call that has a chain: keeps what is good, tries the chain for what is not.
pub(crate) async fn finish<R: Fallible>(
    mut call: Pin<&mut Call<'_>>,
    result: AttemptResult,
    answer: R,
    chain: impl Step<R::Good, R::Error>,
) -> R {
    let kind = result.falls_back();
    let error = match answer.open() {
        Ok(good) => {
            // What is made of an old answer is old.
            if matches!(result, AttemptResult::Answered(Meaning::Good)) && !is_degraded(&call) {
                barrier(|| chain.keep(&good));
            }
            call.finish(&result);
            return R::close(Ok(good));
        }
        Err(error) => error,
    };
    if result.outcome() != Outcome::Cancelled {
        events::call_failed(&call, &error);
    }
    let Some(kind) = kind else {
        if let AttemptResult::Answered(Meaning::Failed(failed)) = &result
            && failed.0.kind == ErrorKind::NotFound
        {
            barrier(|| chain.forget());
        }
        call.finish(&result);
        return R::close(Err(error));
    };
    call.as_mut().continues();
    let mut chance = Chance::of(&call, kind, |error| error);
    let span = call.span().clone();
    let (mut chain, mut error) = (pin!(chain), Some(error));
    let good = poll_fn(|cx| chain.as_mut().poll_serve(cx, &mut chance, &mut error)).instrument(span).await;
    let served = match (good, error) {
        (Some(good), _) => Ok(good),
        (None, Some(error)) => Err(error),
        // No step keeps the error for itself.
        (None, None) => {
            call.finish(&result);
            return R::refused(ResilienceError::Panicked);
        }
    };
    if chance.cancelled {
        call.end(Outcome::Cancelled, None);
    } else if let (Ok(_), Some((source, age))) = (&served, chance.served) {
        call.statistics().fell_back(source);
        events::fallback_used(chance.tool, chance.context.as_ref(), source, kind, age);
        degrade(&call, Degraded { source, age, reason: kind.as_str() });
        call.as_mut().finish_degraded(&result);
    } else {
        if let Some(request) = call.hook_request() {
            request.report().fallback_error = chance.public_error.take();
        }
        call.finish(&result);
    }
    R::close(served)
}

/// Takes note for the client that something else answered, also where that was a function that the
/// tool called: of several, the oldest counts.
fn degrade(call: &Call<'_>, degraded: Degraded) {
    if let Some(request) = call.context().and_then(CallContext::request) {
        let mut report = request.report();
        if report.degraded.as_ref().is_none_or(|known| known.age < degraded.age) {
            report.degraded = Some(degraded);
        }
    }
}

/// Whether anything in this request was answered by something else.
fn is_degraded(call: &Call<'_>) -> bool {
    call.context().and_then(CallContext::request).is_some_and(|request| request.report().degraded.is_some())
}
