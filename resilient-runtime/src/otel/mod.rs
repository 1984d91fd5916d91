//! OpenTelemetry: spans and metrics by its conventions for MCP.
//!
//! With [`init`](crate::init) there is nothing to do: where the environment names an OTLP endpoint,
//! spans and metrics are sent there. For a subscriber and providers of your own there are [`layer`]
//! and [`install`]:
//!
//! ```
//! use opentelemetry::metrics::MeterProvider as _;
//! use opentelemetry::trace::TracerProvider as _;
//! use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
//! use resilient_runtime::otel;
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let tracers = SdkTracerProvider::builder().build();
//! let subscriber = tracing_subscriber::registry().with(otel::layer(tracers.tracer("my-server")));
//! let meters = SdkMeterProvider::builder().build();
//! otel::install(&meters.meter("my-server"));
//! # drop(subscriber);
//! ```
//!
//! `init` exports with `reqwest`: an application that builds that with `rustls-no-provider` installs its
//! provider before.
//!
//! # Spans
//!
//! A tool call that comes through the hook is a span `tools/call {tool}` of the kind `server`, with
//! `mcp.method.name`, `mcp.protocol.version` (of the versions that rmcp knows), `gen_ai.tool.name`,
//! `gen_ai.operation.name`, `jsonrpc.request.id`, `network.transport` (`pipe` for whatever is not HTTP),
//! `network.protocol.name` and `.version` over HTTP, and, where it ended so, `error.type` and
//! `rpc.response.status_code`. The status is an error where there is an `error.type`, and describes it
//! with the JSON-RPC error's message if that is the answer. `mcp.session.id` is never set. A call of a
//! tool that is not there is a span `tools/call`, where [`Registry::unknown_tools`] says that it is seen.
//!
//! [`Registry::unknown_tools`]: crate::Registry::unknown_tools
//!
//! The context in the request's `_meta` (`traceparent`, `tracestate`) is the span's parent; the one
//! around it becomes a link where it is another. Without the former the latter is the parent. Around it
//! is, over HTTP, the span that [`carry_span`] carries to it, else the current span, else what the headers
//! of the HTTP request say. `baggage` is not taken over. Whether a trace is recorded is up to the sampler,
//! which by default does as the parent says, so a client can ask for it and against it.
//!
//! A span ends with its call. What the call has spawned with
//! [`CallContext::instrument`](crate::CallContext::instrument) goes on below it.
//!
//! # Metrics
//!
//! `mcp.server.operation.duration`, a histogram in seconds with the edges of the conventions, is recorded
//! once a call when the call ends: the SDK takes no histogram that somebody else has filled. Calls pay
//! for it from the first [`install`] on; before, they read one atomic when they begin and when they end. It has an attribute
//! `gen_ai.tool.name` for tools of the server alone, not for names that clients made up.
//!
//! The series that the module `export::prometheus` lists are read from the statistics whenever the SDK
//! collects, under the same names without `_total`, but for `resilient_attempt_duration_seconds`, which
//! is a histogram as well and would be recorded for each attempt: it is for Prometheus alone.

#[cfg(all(feature = "http", feature = "rmcp"))]
mod around;
mod export;
mod layer;
mod masked;
mod metrics;
mod observed;

#[cfg(all(feature = "http", feature = "rmcp"))]
pub use around::carry_span;
pub use layer::layer;
pub use metrics::install;

pub(crate) use export::{Exporting, start};
#[cfg(feature = "rmcp")]
pub(crate) use metrics::{are_recorded as operations_are_recorded, record};
