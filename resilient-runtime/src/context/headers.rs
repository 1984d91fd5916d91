//! Headers for requests to other services: the trace and the correlation id of a call.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::CallContext;
use crate::trace;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");

impl CallContext {
    /// Returns headers for a request to another service: `traceparent`, `tracestate` and `x-correlation-id`. With them,
    /// the traces and log lines of that service can be matched with those of this call. Nothing is sent until you add
    /// them to a request:
    ///
    /// ```
    /// use resilient_runtime::CallContext;
    ///
    /// # #[cfg(feature = "reqwest")]
    /// async fn stock(client: &reqwest::Client) -> Result<String, reqwest::Error> {
    ///     let headers = CallContext::current().map(|call| call.headers()).unwrap_or_default();
    ///     client.get("https://shop.example/stock").headers(headers).send().await?.text().await
    /// }
    /// ```
    ///
    /// With the feature `otel` and OpenTelemetry spans, `traceparent` and `tracestate` are those of the current span,
    /// or else of the call's span. The spans of the other service become its children, and the sampling flag says
    /// whether the trace is recorded here, not whether the client asked for it. Without such spans, the headers are
    /// those of the request if they are valid, and are omitted otherwise. A `tracestate` of more than 512 bytes is
    /// omitted as well. Every value is a valid header of at most 512 bytes, regardless of what the client sent.
    ///
    /// A spawned task belongs to no call and no span, unless you carry both into it with
    /// [`instrument`](CallContext::instrument):
    ///
    /// ```
    /// # async fn ask() {}
    /// # fn spawn(call: resilient_runtime::CallContext) {
    /// tokio::spawn(call.instrument(ask()));
    /// # }
    /// ```
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut put = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        if let Some((parent, state)) = self.trace() {
            put(TRACEPARENT, &parent);
            if let Some(state) = state {
                put(TRACESTATE, &state);
            }
        }
        put(CORRELATION, &self.correlation_id.to_string());
        headers
    }

    fn trace(&self) -> Option<(String, Option<String>)> {
        #[cfg(feature = "otel")]
        if let Some(own) = crate::trace::otel::headers(self.request.as_ref().and_then(|request| request.place.get())) {
            return Some(own);
        }
        let request = self.request.as_ref()?;
        Some((trace::parent(request.traceparent.as_deref()?)?, request.tracestate.clone()))
    }
}
