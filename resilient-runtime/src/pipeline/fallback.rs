//! What answers when the guarded part could not: a chain of steps, each tried in turn.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use resilient_policy::{ErrorKind, Source};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::answer::{Fallible, Meaning};
use super::body::barrier;
use super::call::{Call, Verdict};
use crate::clock;
use crate::context::{CallContext, Degraded};
use crate::error::{McpError, public_text};
use crate::statistics::Outcome;
use crate::telemetry;

/// One step of a chain, or a whole chain.
pub trait Step<R: Fallible> {
    /// Takes note of a good answer.
    fn keep(&self, good: &R::Good);

    /// Takes note that there is no such thing any more.
    fn forget(&self);

    /// Tries to answer instead.
    fn serve(self, chance: &mut Chance, error: R::Error) -> impl Future<Output = Result<R::Good, R::Error>>;
}

/// The end of a chain.
#[derive(Debug)]
pub struct End;

impl<R: Fallible> Step<R> for End {
    fn keep(&self, _: &R::Good) {}

    fn forget(&self) {}

    async fn serve(self, _: &mut Chance, error: R::Error) -> Result<R::Good, R::Error> {
        Err(error)
    }
}

/// A step and what comes after it.
#[derive(Debug)]
pub struct Then<A, B>(pub A, pub B);

impl<R: Fallible, A: Step<R>, B: Step<R>> Step<R> for Then<A, B> {
    fn keep(&self, good: &R::Good) {
        self.0.keep(good);
        self.1.keep(good);
    }

    fn forget(&self) {
        self.0.forget();
        self.1.forget();
    }

    async fn serve(self, chance: &mut Chance, error: R::Error) -> Result<R::Good, R::Error> {
        match self.0.serve(chance, error).await {
            Err(error) if !chance.cancelled => self.1.serve(chance, error).await,
            ended => ended,
        }
    }
}

/// A function of the user's, given the error and the time it has.
#[derive(Debug)]
pub struct Function<F>(pub F);

impl<R, F, A> Step<R> for Function<F>
where
    R: Fallible,
    F: FnOnce(R::Error, Limit) -> A,
    A: Future<Output = (R::Error, Option<R>)>,
{
    fn keep(&self, _: &R::Good) {}

    fn forget(&self) {}

    async fn serve(self, chance: &mut Chance, error: R::Error) -> Result<R::Good, R::Error> {
        if chance.kind == ErrorKind::Overloaded {
            // It would only add to the load.
            return Err(error);
        }
        let (error, answer) = (self.0)(error, chance.limit()).await;
        if chance.cancellation.as_ref().is_some_and(CancellationToken::is_cancelled) {
            chance.cancelled = true;
            return Err(error);
        }
        match answer.map(Fallible::open) {
            Some(Ok(good)) => {
                chance.served = Some((Source::Function, None));
                Ok(good)
            }
            Some(Err(second)) => {
                chance.failed(&second);
                Err(error)
            }
            None => {
                telemetry::fallback_failed(chance.tool, "no answer in time, or a panic");
                Err(error)
            }
        }
    }
}

/// A fixed value, made when it is needed.
#[derive(Debug)]
pub struct Value<F>(pub F);

impl<R: Fallible, F: FnOnce() -> R::Good> Step<R> for Value<F> {
    fn keep(&self, _: &R::Good) {}

    fn forget(&self) {}

    async fn serve(self, chance: &mut Chance, error: R::Error) -> Result<R::Good, R::Error> {
        match barrier(self.0) {
            Some(good) => {
                chance.served = Some((Source::Value, None));
                Ok(good)
            }
            None => Err(error),
        }
    }
}

/// What a step may know of the call, and where it says what it did.
#[derive(Debug)]
pub struct Chance {
    tool: &'static str,
    kind: ErrorKind,
    /// When the functions of the chain must have answered, all of them together.
    until: Instant,
    context: Option<CallContext>,
    cancellation: Option<CancellationToken>,
    cancelled: bool,
    pub(crate) served: Option<(Source, Option<Duration>)>,
    public_error: Option<String>,
}

impl Chance {
    fn of(call: &Call<'_>, kind: ErrorKind) -> Self {
        let context = call.context().cloned();
        Self {
            tool: call.site().name(),
            kind,
            until: clock::later(Instant::now(), call.policy().fallback_limit()),
            cancellation: context.as_ref().and_then(CallContext::request).map(|request| request.cancellation.clone()),
            context,
            cancelled: false,
            served: None,
            public_error: None,
        }
    }

    fn limit(&self) -> Limit {
        let mut context = self.context.clone();
        if let Some(context) = &mut context {
            // The call's own deadline may have passed; what the function calls has what it has.
            context.set_deadline(self.until);
        }
        Limit { until: self.until, context, cancellation: self.cancellation.clone() }
    }

    fn failed(&mut self, error: &dyn McpError) {
        barrier(|| telemetry::fallback_failed(self.tool, &crate::error::log_chain(&error)));
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
    verdict: Verdict,
    answer: R,
    chain: impl Step<R>,
) -> R {
    let kind = verdict.falls_back();
    let error = match answer.open() {
        Ok(good) => {
            // What is made of an old answer is old.
            if matches!(verdict, Verdict::Answered(Meaning::Good)) && !is_degraded(&call) {
                barrier(|| chain.keep(&good));
            }
            call.finish(&verdict);
            return R::close(Ok(good));
        }
        Err(error) => error,
    };
    telemetry::call_failed(&call, &error);
    let Some(kind) = kind else {
        if let Verdict::Answered(Meaning::Failed(failed)) = &verdict
            && failed.0.kind == ErrorKind::NotFound
        {
            barrier(|| chain.forget());
        }
        call.finish(&verdict);
        return R::close(Err(error));
    };
    let mut chance = Chance::of(&call, kind);
    let span = call.span().clone();
    let served = chain.serve(&mut chance, error).instrument(span).await;
    if chance.cancelled {
        call.end(Outcome::Cancelled);
    } else if let (Ok(_), Some((source, age))) = (&served, chance.served) {
        telemetry::fallback_used(chance.tool, source, kind, age);
        degrade(&call, Degraded { source, age, reason: kind.as_str() });
        call.as_mut().finish_degraded();
    } else {
        if let Some(request) = call.hook() {
            request.report().fallback_error = chance.public_error.take();
        }
        call.finish(&verdict);
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
