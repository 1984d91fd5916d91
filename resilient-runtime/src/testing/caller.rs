//! The caller of guarded functions in a test.

use std::fmt;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::duration;
use crate::clock::Moment;
use crate::context::{self, Authorized, CallContext, Request};
use crate::identity::{CorrelationId, Principal};

/// A caller of guarded functions in a test, like a client whose request the hook received. See
/// [`Lab::caller`](super::Lab::caller).
///
/// Functions that it calls find its principal, correlation id and deadline in [`CallContext::current`], and can be
/// cancelled as by a client. For calls over MCP, use [`Lab::set_principal`](super::Lab::set_principal) and cancel with
/// the client. The calls count as authorized: the functions of `authorize` run over MCP alone.
///
/// ```
/// use std::time::Duration;
///
/// use resilient_runtime::{Classify, ErrorKind, ResilienceError, resilient, testing};
///
/// #[resilient(retry = 3, read_only)]
/// async fn hangs() -> Result<(), ResilienceError> {
///     std::future::pending().await
/// }
///
/// # fn main() {
/// testing::run(async |lab| {
///     let alice = lab.caller().principal("alice");
///     let gives_up = async {
///         tokio::time::sleep(Duration::from_secs(2)).await;
///         alice.cancel();
///     };
///     let (call, ()) = tokio::join!(lab.timed(alice.call(hangs())), gives_up);
///     call.assert_took("2s");
///     assert_eq!(call.answer.unwrap_err().kind(), ErrorKind::Cancelled);
/// });
/// # }
/// ```
#[must_use = "a caller calls nothing before `call`"]
pub struct Caller {
    correlation_id: CorrelationId,
    principal: Option<Principal>,
    deadline: Option<Moment>,
    cancellation: CancellationToken,
}

impl Caller {
    pub(super) fn new() -> Self {
        Self {
            correlation_id: CorrelationId::random(),
            principal: None,
            deadline: None,
            cancellation: CancellationToken::new(),
        }
    }

    /// Sets the principal, whose data the calls are about. Default: no principal.
    pub fn principal(mut self, name: &str) -> Self {
        self.principal = Some(Principal::new(name));
        self
    }

    /// Sets the correlation id of the calls. Default: a random id.
    ///
    /// # Panics
    /// If the id is not valid for a client: 1 to 128 characters of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`.
    #[track_caller]
    pub fn correlation_id(mut self, id: &str) -> Self {
        let Some(id) = CorrelationId::from_client(id) else { panic!("`{id}` cannot be a correlation id") };
        self.correlation_id = id;
        self
    }

    /// Sets a deadline for the calls, relative to now on the paused clock: `"5s"`. It applies if it is earlier than the
    /// calls' own timeouts. Default: no deadline.
    ///
    /// # Panics
    /// If this is not a valid duration.
    #[track_caller]
    pub fn deadline(mut self, after: &str) -> Self {
        self.deadline = Some(Moment::now().after(duration(after)));
        self
    }

    /// Runs a future in a request of this caller: the guarded functions that it calls have this caller.
    ///
    /// Dropping the returned future drops `future`.
    pub async fn call<F: Future>(&self, future: F) -> F::Output {
        context::within(Some(self.context()), future).await
    }

    /// Cancels all calls of this caller, running and future ones.
    pub fn cancel(&self) {
        self.cancellation.cancel();
    }

    /// Returns the context of a new request, for [`CallContext::instrument`].
    #[must_use]
    pub fn context(&self) -> CallContext {
        let request = Request {
            id: 0.into(),
            // Empty, because the request may call several tools.
            tool: "".into(),
            is_hooked: false,
            is_of_handler: false,
            is_taken_over: std::sync::atomic::AtomicBool::new(false),
            is_follow_up: std::sync::atomic::AtomicBool::new(false),
            statistics: None,
            traceparent: None,
            tracestate: None,
            principal: self.principal.clone(),
            #[cfg(feature = "deferred")]
            principal_source: crate::identity::PrincipalSource::Unknown,
            #[cfg(feature = "deferred")]
            delivery: None,
            arguments: None,
            cancellation: self.cancellation.clone(),
            authorized: Authorized::without_request().into(),
            #[cfg(feature = "rmcp")]
            progress: None,
            span: Mutex::default(),
            #[cfg(feature = "otel")]
            place: std::sync::OnceLock::new(),
            report: Mutex::default(),
        };
        let mut context = CallContext::of_request(self.correlation_id.clone(), Arc::new(request));
        if let Some(deadline) = self.deadline {
            context.set_deadline(deadline);
        }
        context
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("correlation_id", &self.correlation_id)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}
