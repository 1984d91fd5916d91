//! Guards: policies in plain code, without the attribute.

pub use crate::answer::Answer;

use std::fmt;
use std::future::poll_fn;
use std::hash::Hash;
use std::pin::pin;
use std::task::Poll;

use resilient_policy::{Policy, Problem};
use tokio_util::sync::CancellationToken;

use crate::breaker::Breaker;
#[cfg(feature = "rmcp")]
use crate::context::CallContext;
use crate::error::ResilienceError;
use crate::gate::{self, InFlight};
use crate::pipeline::{self, CallCell};
use crate::registry::{Registry, rules};
use crate::site::{Entry, Location, Site};

/// A named policy that guards arbitrary futures.
///
/// It enforces the same as `#[resilient]`: the timeout, the breaker named in the policy, retries within their budget,
/// the panic barrier, and one outcome per call. Fallbacks and cached responses need the signature of a function and are
/// only available with the attribute; a guard ignores these parts of a policy.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::time::Duration;
/// use resilient_runtime::{Guard, Policy, ResilienceError};
/// use resilient_runtime::policy::{BreakerUse, Retry};
///
/// static SHOP: Guard = Guard::new(
///     "shop",
///     Policy::new().timeout(Duration::from_secs(5)).retry(Retry::new(2)).breaker(BreakerUse::named("shop")),
/// );
///
/// let answer: Result<u32, ResilienceError> = SHOP.call(|| async { Ok(7) }).await;
/// assert_eq!(answer, Ok(7));
/// # });
/// ```
pub struct Guard(Site);

impl Guard {
    /// Creates a guard with this policy, for a `static`. If the policy breaks a rule, `Resilience::start` reports it,
    /// or the first call logs an error. [`Guard::checked`] returns an error at once.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, policy: Policy) -> Self {
        let caller = std::panic::Location::caller();
        let location = Location { module: "", file: caller.file(), line: caller.line() };
        Self(Site::new(name, location, policy).unchecked())
    }

    /// Creates a guard with a policy that is built at run time.
    ///
    /// # Errors
    /// [`InvalidPolicy`], with every rule that the policy breaks.
    #[track_caller]
    pub fn checked(name: &'static str, policy: Policy) -> Result<Self, InvalidPolicy> {
        let problems = rules(&policy);
        if problems.is_empty() { Ok(Self::new(name, policy)) } else { Err(InvalidPolicy { name, problems }) }
    }

    /// Uses this breaker instead of the one named in the policy.
    #[must_use]
    pub const fn with_breaker(mut self, breaker: &'static Breaker) -> Self {
        self.0.breaker = Some(breaker);
        self
    }

    /// Makes the guard one for a tool of another server. Its name is that of the tool, for example in a client or a
    /// proxy.
    ///
    /// Each call then counts as one call of a tool, also within a call of another tool: in
    /// [`Registry::tools`](crate::Registry::tools), in the metrics with the label `tool`, in the health of tools and
    /// among the [recent errors](crate::Registry::recent_errors). The table `[tool.NAME]` of the settings at start
    /// applies to it, and so do the switches and the level of service of [`gate`]: the policy's
    /// [`effect`](Policy::effect) says whether it writes. The name of the guard may be any text; that of its breaker is
    /// 1 to 64 letters, digits, `_`, `.` and `-`, like the name of every breaker.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use resilient_runtime::{Guard, Policy, Registry, ResilienceError};
    /// use resilient_runtime::policy::Effect;
    ///
    /// // The name is known at run time. A tool whose name is not known before is leaked once.
    /// let name: &'static str = String::from("files/read").leak();
    /// let read = Guard::checked(name, Policy::new().effect(Effect::ReadOnly))?.as_tool();
    /// read.bind();
    /// assert_eq!(Registry::global().tool("files/read").unwrap().calls(), 0);
    ///
    /// let text: Result<&str, ResilienceError> = read.call(|| async { Ok("text") }).await;
    /// assert_eq!(text, Ok("text"));
    /// assert_eq!(Registry::global().tool("files/read").unwrap().calls(), 1);
    /// # Ok::<_, resilient_runtime::guard::InvalidPolicy>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn as_tool(mut self) -> Self {
        self.0.calls_remote_tool();
        self
    }

    /// Binds the guard to the current registry, as its first call does otherwise: its policy with the settings at
    /// start, and its series, which begin at zero. Logs what is wrong with its settings.
    pub fn bind(&self) {
        let _ = self.0.bind();
    }

    /// Returns the name under which the calls are counted.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.0.name()
    }

    #[cfg(feature = "config")]
    pub(crate) const fn site(&self) -> &Site {
        &self.0
    }

    /// Returns the policy as declared in the code.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        self.0.policy()
    }

    /// Runs the future that `attempt` returns, once per attempt. Dropping the returned future drops the attempt and
    /// returns all permits. For partition keys and a cancellation token, see [`Guard::with`].
    pub async fn call<R, F>(&self, attempt: impl FnMut() -> F) -> R
    where
        R: Answer,
        F: Future<Output = R>,
    {
        self.with().call(attempt).await
    }

    /// Prepares a call with partition keys or a cancellation token.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// use resilient_runtime::{Guard, Policy, ResilienceError};
    /// use resilient_runtime::policy::BreakerUse;
    /// use tokio_util::sync::CancellationToken;
    ///
    /// static SHOP: Guard = Guard::new("shop-of-tenant", Policy::new().breaker(BreakerUse::named("shop")));
    ///
    /// let stop = CancellationToken::new();
    /// let call = SHOP.with().breaker_key("tenant 7").cancelled_by(stop.clone());
    /// stop.cancel();
    /// let answer: Result<u32, ResilienceError> = call.call(|| async { Ok(7) }).await;
    /// assert_eq!(answer, Err(ResilienceError::Cancelled));
    /// # });
    /// ```
    pub fn with(&self) -> GuardedCall<'_> {
        GuardedCall { entry: self.0.entry(), cancellation: None }
    }
}

/// One call of a [`Guard`], with its partition keys and its cancellation token. See [`Guard::with`].
#[derive(Debug, Clone)]
#[must_use = "nothing is called before `call`"]
pub struct GuardedCall<'g> {
    entry: Entry<'g>,
    cancellation: Option<CancellationToken>,
}

impl GuardedCall<'_> {
    /// Uses a separate breaker per value, as `breaker(key = ..)` of the attribute does: at most `max_keys`, and one
    /// more that all further values share. Has no effect if the guard has no breaker or a `static` one.
    pub fn breaker_key<K: Hash + ?Sized>(mut self, key: &K) -> Self {
        self.entry = self.entry.breaker_key(|values| values.add(key));
        self
    }

    /// Uses a separate bulkhead per value, as `bulkhead(key = ..)` of the attribute does.
    pub fn bulkhead_key<K: Hash + ?Sized>(mut self, key: &K) -> Self {
        self.entry = self.entry.bulkhead_key(|values| values.add(key));
        self
    }

    /// Uses a separate rate limit per value, as `rate_limit(key = ..)` of the attribute does.
    pub fn rate_limit_key<K: Hash + ?Sized>(mut self, key: &K) -> Self {
        self.entry = self.entry.rate_limit_key(|values| values.add(key));
        self
    }

    /// Ends the call when this token is cancelled: the attempt is dropped, every permit is returned, and the result is
    /// [`ResilienceError::Cancelled`]. The cancellation and the deadline of an
    /// enclosing call apply as well.
    pub fn cancelled_by(mut self, token: CancellationToken) -> Self {
        self.cancellation = Some(token);
        self
    }

    /// Runs the future that `attempt` returns, once per attempt, as [`Guard::call`] does.
    pub async fn call<R, F>(mut self, mut attempt: impl FnMut() -> F) -> R
    where
        R: Answer,
        F: Future<Output = R>,
    {
        let _in_flight = self.admit();
        let call = pin!(CallCell::new(self.entry));
        let mut call = pin!(pipeline::repeat(call, move |_| Some(attempt()), pipeline::Special::NONE));
        let Some(token) = self.cancellation else { return call.await };
        let mut cancelled = pin!(token.cancelled());
        let answer = poll_fn(|cx| match cancelled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => call.as_mut().poll(cx).map(Some),
        });
        // The running call is dropped at the end of this function and counted as cancelled.
        answer.await.unwrap_or_else(|| R::refused(ResilienceError::Cancelled))
    }
}

impl GuardedCall<'_> {
    /// Asks the gate about a call of a tool, as the hook does for the tools of this server. The call takes a refusal
    /// over. Returns what counts the call as one in flight.
    fn admit(&mut self) -> Option<InFlight> {
        let site = self.entry.site;
        if !site.is_remote() {
            return None;
        }
        // The first binding makes the tool known to the gate.
        drop(site.bind());
        if !gate::is_active() {
            return None;
        }
        let admitted = Registry::here(|registry| registry.gate().admit(&site.gated(), is_within_a_tool()));
        admitted.unwrap_or_else(|refusal| {
            self.entry.refuse(refusal);
            None
        })
    }
}

/// Returns whether a call of a tool is in progress, which is counted as in flight.
#[cfg(feature = "rmcp")]
fn is_within_a_tool() -> bool {
    let context = CallContext::current();
    let outer = context.as_ref().and_then(CallContext::request);
    outer.is_some_and(|request| request.is_of_hook() && request.is_running())
}

#[cfg(not(feature = "rmcp"))]
const fn is_within_a_tool() -> bool {
    false
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.0).finish()
    }
}

/// The error for a policy that breaks rules. It lists all of them, with the settings that they concern.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::{Guard, Policy};
/// use resilient_runtime::policy::Retry;
///
/// let policy = Policy::new().timeout(Duration::from_secs(1)).retry(Retry::new(5));
/// let refused = Guard::checked("shop", policy).unwrap_err();
/// assert_eq!(refused.problems()[0].path, "retry.max");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPolicy {
    name: &'static str,
    problems: Vec<Problem>,
}

impl InvalidPolicy {
    /// Returns the broken rules, in the order of the settings.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for InvalidPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policy of `{}` cannot work", self.name)?;
        self.problems.iter().try_for_each(|problem| write!(f, "; {problem}"))
    }
}

impl std::error::Error for InvalidPolicy {}
