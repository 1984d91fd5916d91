//! What a call tells the services that it asks: to which trace it belongs, and under which id.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::CallContext;
use crate::trace;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");

impl CallContext {
    /// Headers for a request to another service, by which its traces and log lines are found together
    /// with those of this call: `traceparent`, `tracestate` and `x-correlation-id`. Nothing is sent
    /// unless it is put into a request, as here:
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
    /// With the feature `otel`, where spans are those of OpenTelemetry, `traceparent` and `tracestate` are
    /// those of the current span, or else the call's: the other service's spans become its children, and
    /// hear whether the trace is recorded here, not whether the client wished that. Without such spans
    /// they are what came with the request, if it is valid, and left out otherwise; a `tracestate` of more
    /// than 512 bytes is left out too. Whatever a client sent, every value is a valid header of at most 512
    /// bytes.
    ///
    /// A task that is spawned belongs to no call and no span, unless it takes both along with
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
