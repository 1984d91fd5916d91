//! One try: the call of the tool, the lease that is renewed meanwhile, and the report to the store.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use resilient_policy::ErrorKind;
use rmcp::model::{CallToolRequest, CallToolRequestParams, ErrorCode, ServerResult};
use tokio::time::{Instant, sleep};

use super::in_memory::{PendingCall, Response};
use super::schedule::{Failed, Next};
use super::server::Server;
use super::worker::Worker;
use crate::Classify;
use crate::deferred::{
    ClaimToken, Delivery, Entry, Failure, MOST_RESULT_BYTES, NextTry, State, StoreError, Summary, Tried, Viewer,
};
use crate::error::ToolError as _;
use crate::identity::Principal;
use crate::mcp::wire_error::error_of_result;
use crate::outcomes::Outcome;
use crate::statistics::DeferredResult;
use crate::telemetry;

/// For how long the end of a try is reported again if the store fails. After that the lease ends, and the entry is tried
/// once more.
const REPORTED_FOR: Duration = Duration::from_secs(60);

/// The shortest and the longest delay between two reports.
const BETWEEN_REPORTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The end of a try, with what the store keeps of it.
struct Ended {
    failed: Option<Failed>,
    /// The code of the failure.
    code: Option<String>,
    /// The result or the JSON-RPC error, as JSON.
    result: Option<String>,
}

impl Ended {
    /// A failure without a result.
    fn failed(code: &str, kind: Option<ErrorKind>) -> Self {
        Self { failed: Some(Failed::of(kind)), code: Some(code.to_owned()), result: None }
    }

    /// The call did not begin, because there is no server to call.
    fn without_server() -> Self {
        let failed = Failed { ran: false, ..Failed::of(Some(ErrorKind::Cancelled)) };
        Self { failed: Some(failed), code: Some("no_server".to_owned()), result: None }
    }
}

impl Worker {
    /// Tries a claimed entry once and reports the end to the store. If all calls of the tool would be refused for some
    /// time, calls `pause` with it.
    pub(super) async fn deliver(&self, entry: Entry, lease: Duration, pause: impl FnOnce(&str, Duration)) {
        let (token, settings, tries_used) = (entry.token(), entry.summary.policy, entry.summary.tries_used);
        let expires = entry.summary.expires;
        let (tool, correlation_id) = (entry.summary.tool.clone(), entry.correlation_id.clone());
        let started = Instant::now();
        let ended = match self.server() {
            Some(server) => self.attempt(entry, lease, &server).await,
            None => Ended::without_server(),
        };
        let left = expires.since(self.deferral.clock.now());
        let next = Next::after(ended.failed, (&settings, tries_used), left, fastrand::f64());
        if let Next::Postpone { delay, whole_tool: true } = next {
            pause(&tool, delay);
        }
        let code = ended.code.clone();
        if let Some(summary) = self.report(token, next, ended).await {
            let result = match (next, summary.state) {
                (_, State::Done) => DeferredResult::Done,
                (Next::Postpone { .. }, State::Waiting) => DeferredResult::Postponed,
                (_, State::Waiting) => DeferredResult::Retried,
                (_, State::Cancelled) => DeferredResult::Cancelled,
                (_, State::Discarded) => DeferredResult::Discarded,
                _ => DeferredResult::Dead,
            };
            self.deferral.statistics.count(&summary.tool, result);
            let facts = (tries_used, started.elapsed(), result == DeferredResult::Postponed);
            telemetry::deferred::attempted(
                &summary,
                facts,
                code.as_deref(),
                self.deferral.clock.now(),
                &correlation_id,
            );
        }
    }

    /// Calls the tool, and renews the lease until it answers or the lease's length is over.
    async fn attempt(&self, entry: Entry, lease: Duration, server: &Server) -> Ended {
        let token = entry.token();
        let Ok(arguments) = serde_json::from_str(&entry.arguments) else {
            return Ended::failed("unreadable_arguments", Some(ErrorKind::InvalidInput));
        };
        let Entry { summary, principal, correlation_id, .. } = entry;
        let delivery = Arc::new(Delivery::new(summary.receipt, summary.tries_used, principal, correlation_id));
        let mut request = CallToolRequest::new(CallToolRequestParams::new(summary.tool).with_arguments(arguments));
        // Where an application puts it, and where its `authorize` looks for it.
        if let Some(name) = delivery.principal.strip_prefix("p:") {
            request.extensions.insert(Principal::new(name));
        }
        request.extensions.insert(Arc::clone(&delivery));
        let Some(call) = server.call_tool(request) else { return Ended::without_server() };
        let response = {
            let _running = self.leases.begin(token, lease);
            self.wait(call, token, lease).await
        };
        read(response, delivery.tried())
    }

    /// Waits for the response, at most as long as the lease, which is renewed at its half. Returns `None` if there is no
    /// response, or if another worker has the entry by now: then this try ends, so that two do not run at once.
    async fn wait(&self, call: PendingCall, token: ClaimToken, lease: Duration) -> Option<Response> {
        let (mut call, mut cut, mut half) = (pin!(call), pin!(sleep(lease)), pin!(sleep(lease / 2)));
        let mut renewing: Option<Pin<Box<dyn Future<Output = bool> + Send + '_>>> = None;
        poll_fn(|cx| {
            if let Poll::Ready(response) = call.as_mut().poll(cx) {
                return Poll::Ready(response);
            }
            if half.as_mut().poll(cx).is_ready() {
                half.as_mut().reset(Instant::now() + lease / 2);
                let _ = half.as_mut().poll(cx);
                renewing = Some(Box::pin(self.renew(token, lease)));
            }
            if let Some(run) = &mut renewing
                && let Poll::Ready(is_held) = run.as_mut().poll(cx)
            {
                renewing = None;
                if !is_held {
                    return Poll::Ready(None);
                }
            }
            cut.as_mut().poll(cx).map(|()| None)
        })
        .await
    }

    /// Renews the lease. Returns whether this try still has the entry, as far as it knows.
    async fn renew(&self, token: ClaimToken, lease: Duration) -> bool {
        // If the store fails, the lease ends, and the entry is tried once more.
        !matches!(self.deferral.store.renew(token, lease, self.deferral.clock.now()).await, Ok(None))
    }

    /// Reports the end of a try to the store, again if the store fails. Returns the entry as it is now, or `None` if the
    /// try no longer counts.
    async fn report(&self, token: ClaimToken, next: Next, ended: Ended) -> Option<Summary> {
        let began = Instant::now();
        let mut delay = BETWEEN_REPORTS.0;
        loop {
            let error = match self.report_once(token, next, &ended).await {
                // The first report may have been written although it failed.
                Ok(None) if delay > BETWEEN_REPORTS.0 => return self.reported(token).await,
                Ok(summary) => return summary,
                Err(error) => error,
            };
            if began.elapsed() >= REPORTED_FOR {
                return None;
            }
            if delay == BETWEEN_REPORTS.0 {
                telemetry::deferred::store_failed("report", &error);
            }
            sleep(delay).await;
            delay = delay.saturating_mul(2).min(BETWEEN_REPORTS.1);
        }
    }

    /// Returns the entry if the end of this try was written.
    async fn reported(&self, token: ClaimToken) -> Option<Summary> {
        let entry = self.deferral.store.get(token.receipt, &Viewer::Operator).await.ok().flatten();
        let reported = entry.filter(|entry| entry.token() == token && entry.summary.state != State::Running);
        reported.map(|entry| entry.summary)
    }

    async fn report_once(&self, token: ClaimToken, next: Next, ended: &Ended) -> Result<Option<Summary>, StoreError> {
        let (store, now) = (&self.deferral.store, self.deferral.clock.now());
        let failure =
            |next| Failure { code: ended.code.clone().unwrap_or_default(), result: ended.result.clone(), next };
        match next {
            Next::Complete => store.complete(token, ended.result.clone(), now).await,
            Next::Again(delay) => store.fail(token, failure(NextTry::At(now.after(delay))), now).await,
            Next::Never => store.fail(token, failure(NextTry::Never), now).await,
            Next::Postpone { delay, .. } => store.postpone(token, now.after(delay), now).await,
        }
    }
}

/// Reads the end of a try from the response and from what the hook reported.
fn read(response: Option<Response>, tried: Option<Tried>) -> Ended {
    let (result, failure) = match response {
        // The server ended, or did not answer in time.
        None => return Ended::failed("no_answer", None),
        Some(Ok(ServerResult::CallToolResult(mut result))) => {
            let is_failure = result.is_error == Some(true) || tried.as_ref().is_some_and(is_classified_as_failure);
            let failure = is_failure.then(|| {
                // The kept result is returned as it is, without the outcome.
                result.is_error = Some(true);
                let error = error_of_result(&result);
                (error.as_ref().map(Classify::kind), error.map(|error| error.code().into_owned()))
            });
            (serde_json::to_string(&result), failure)
        }
        // The tool requires input or began a task, and there is no client for either.
        Some(Ok(_)) => return Ended::failed("no_result", Some(ErrorKind::Internal)),
        Some(Err(error)) => {
            let is_of_caller = matches!(error.code, ErrorCode::INVALID_PARAMS | ErrorCode::METHOD_NOT_FOUND);
            let kind = if is_of_caller { ErrorKind::InvalidInput } else { error.kind() };
            (serde_json::to_string(&error), Some((Some(kind), Some(error.code.0.to_string()))))
        }
    };
    let result = result.ok().filter(|result| result.len() <= MOST_RESULT_BYTES);
    let Some((mut kind, mut code)) = failure else { return Ended { failed: None, code: None, result } };
    let mut failed = Failed::of(kind);
    if let Some(tried) = tried {
        let by_outcome = match tried.outcome {
            Outcome::Panic => Some(ErrorKind::Internal),
            Outcome::Cancelled => Some(ErrorKind::Cancelled),
            _ => kind,
        };
        kind = tried.kind.or(by_outcome);
        code = tried.code.or(code);
        let Tried { retry_after, ran, is_of_some_calls, .. } = tried;
        failed = Failed { kind, retry_after, ran, is_of_some_calls };
    }
    let code = code.unwrap_or_else(|| kind.map_or("error", ErrorKind::as_str).to_owned());
    Ended { failed: Some(failed), code: Some(code), result }
}

/// Returns whether the tool's `classify` called a good answer a failure. An answer that came after a cancellation is good.
fn is_classified_as_failure(tried: &Tried) -> bool {
    !matches!(tried.outcome, Outcome::Ok | Outcome::Fallback | Outcome::Cancelled)
}
