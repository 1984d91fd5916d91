//! OpenTelemetry spans and metrics by the semantic conventions for MCP.
//!
//! With [`init`](crate::logging::init) there is nothing to do: if the environment sets an OTLP endpoint, spans and metrics are
//! exported to it. If you have your own subscriber and providers, use [`layer`] and [`install`]:
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
//! `init` exports with `reqwest`. If your application builds that with `rustls-no-provider`, install a TLS provider
//! before.
//!
//! # Spans
//!
//! A tool call that passes through the hook creates a span `tools/call {tool}` of the kind `server`, with
//! `mcp.method.name`, `mcp.protocol.version` (if rmcp knows the version), `gen_ai.tool.name`, `gen_ai.operation.name`,
//! `jsonrpc.request.id`, `network.transport` (`pipe` for everything except HTTP), `network.protocol.name` and
//! `.version` over HTTP, and, if the call ended with an error, `error.type` and `rpc.response.status_code`. The status
//! is an error if there is an `error.type`; its description is the JSON-RPC error's message if that is the response.
//! `mcp.session.id` is never set. A call of a tool that does not exist creates a span `tools/call`; for when such calls
//! are seen, see [`Registry::unknown_tools`].
//!
//! [`Registry::unknown_tools`]: crate::Registry::unknown_tools
//!
//! The span's parent is the context in the request's `_meta` (`traceparent`, `tracestate`); a different enclosing
//! context becomes a link. Without a context in `_meta`, the enclosing context is the parent. Over HTTP, the enclosing
//! context is the span that [`carry_span`] carries, else the current span, else the context in the headers of the HTTP
//! request. `baggage` is not propagated. The sampler decides whether a trace is recorded. By default it follows the
//! parent, so a client can turn recording on and off.
//!
//! A span ends with its call. Tasks that the call spawned with
//! [`CallContext::instrument`](crate::CallContext::instrument) continue below it.
//!
//! # Metrics
//!
//! `mcp.server.operation.duration`, a histogram in seconds with the bucket boundaries of the conventions, is recorded
//! once per call, when the call ends, because the SDK accepts no precomputed histograms. Calls pay for it from the
//! first [`install`] on; before, they read one atomic when they begin and when they end. Its attribute
//! `gen_ai.tool.name` is set only for tools that the server has, not for names that clients made up.
//!
//! The series listed in the module `export::prometheus` are read from the statistics whenever the SDK collects, under
//! the same names without `_total`. The exception is `resilient_attempt_duration_seconds`: it is a histogram too and
//! would have to be recorded for each attempt, so only Prometheus has it.

#[cfg(all(feature = "http", feature = "rmcp"))]
mod carry;
mod export;
mod layer;
mod masked;
mod metrics;
mod observed;

#[cfg(all(feature = "http", feature = "rmcp"))]
pub use carry::carry_span;
pub use layer::layer;
pub use metrics::install;

pub(crate) use export::{Exporting, start};
#[cfg(feature = "rmcp")]
pub(crate) use metrics::{are_recorded as operations_are_recorded, record};
