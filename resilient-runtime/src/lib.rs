//! Retries, circuit breakers, deadlines, fallbacks and honest errors for MCP servers, from one
//! attribute.
//!
//! Put [`#[resilient]`](macro@resilient) above `#[tool]` on a tool of an [rmcp] server, derive
//! [`McpError`](derive@McpError) for its errors, and a call is answered in time whatever the
//! service behind it does. Configuration that cannot work does not compile.
//!
//! # What happens to a call
//!
//! Everything has its place in one fixed order, outermost first:
//!
//! ```text
//! hook: context, statistics, outer panic barrier
//!   → cancellation → fallback → rate limit → timeout → retry → breaker → bulkhead → attempt timeout
//!   → panic barrier → body
//! ```
//!
//! An *attempt* is one run of the body, a *call* everything that happens for one tool call. The
//! rate limit counts calls and never waits. The timeout covers queueing, all attempts and the
//! delays between them. Each attempt asks the breaker anew and is recorded by it on its own, and
//! takes a slot of the bulkhead, which it may have to queue for; between attempts none is held. A
//! panic is caught around the attempt; it is neither retried nor held against the dependency. A
//! fallback sees the final error and runs outside breaker and timeout, with a limit of its own. A
//! call that is cancelled, by the client or by dropping its future, ends at once: the attempt is
//! dropped, every permit is given back, and nothing is repeated or substituted.
//!
//! # Where to begin
//!
//! With a tool from nothing: [`guide::first_tool`]. With a server that exists: [`guide::adopting`]. Every
//! key with its units, defaults and limits: [`guide::keys`]. What errors become on the wire:
//! [`guide::errors`]. Where policies are set, and how an operator changes them: [`guide::settings`].
//! What an operator sees: [`guide::observing`]. How to test it: [`guide::testing`]. What it costs:
//! [`guide::performance`]. What to do with a retry loop, tower's layers or `FastMCP`'s middleware:
//! [`guide::migrating`]. A future that is no function of its own is guarded by a [`Guard`].
//!
//! # What it needs
//!
//! Rust 1.88, a Tokio runtime with time enabled, and for tools rmcp 3.11. Which transport rmcp serves
//! makes no difference.
//!
//! | feature | on unless you say otherwise | what it brings | what it depends on |
//! |---|---|---|---|
//! | `rmcp` | yes | tools: the hook around each call, answers with `isError` and `_meta`, a router that is built once | rmcp with its features `server` and `macros` |
//! | `cache` | yes | `fallback = cached` | moka |
//! | `config` | yes | `Resilience::from_env()` | toml, which the macros need anyway |
//! | `rate-limit` | yes | `rate_limit`, `RateLimit` | governor |
//! | `logging` | | `init()`: JSON lines on stderr, masked | tracing-subscriber |
//! | `reqwest` | | kinds for `reqwest::Error` | reqwest 0.13 |
//! | `reqwest-012` | | kinds for the `reqwest::Error` of reqwest 0.12, beside `reqwest` or alone | reqwest 0.12 |
//! | `prometheus` | | the module `export::prometheus`: metrics as text | prometheus-client, on Linux procfs |
//! | `http` | | the module `http`: routes for axum; brings `prometheus` | axum 0.8 |
//! | `otel` | | the module `otel`: spans and metrics; brings `logging` | opentelemetry 0.33, tracing-opentelemetry, reqwest |
//! | `testing` | | the module `testing`, for dev-dependencies: a paused clock and injected faults | tokio's feature `test-util` |
//!
//! Without any of them there are timeouts, retries, breakers, bulkheads and fallbacks for plain async
//! functions.
//!
//! [rmcp]: https://docs.rs/rmcp

// On docs.rs each item shows the feature that it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// What is written for the hook and the cache is read by nobody where they are not built.
#![cfg_attr(not(all(feature = "rmcp", feature = "cache")), allow(dead_code))]

#[doc(hidden)]
pub mod __private;
mod breaker;
mod bulkhead;
#[cfg(feature = "cache")]
mod cache;
mod classify;
mod clock;
mod context;
mod error;
#[cfg(feature = "prometheus")]
pub mod export;
mod guard;
#[cfg(any(all(doc, not(doctest)), all(doctest, feature = "rmcp", feature = "cache", feature = "config")))]
pub mod guide;
pub mod health;
#[cfg(feature = "http")]
pub mod http;
mod keyed_hash;
#[cfg(feature = "logging")]
mod logging;
#[cfg(feature = "rmcp")]
pub mod mcp;
#[cfg(feature = "otel")]
pub mod otel;
mod pipeline;
#[cfg(feature = "rate-limit")]
mod rate_limit;
pub mod redact;
mod registry;
mod retry;
#[cfg(feature = "config")]
mod settings;
mod shown;
mod site;
mod statistics;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(any(feature = "http", feature = "rmcp"))]
mod view;

pub use resilient_macros::{McpError, resilient};
pub use resilient_policy::{
    BreakerSettings, BreakerUse, BulkheadSettings, BulkheadUse, CacheSettings, Effect, ErrorKind, Fault, Jitter,
    KindSet, Policy, Problem, RateLimitSettings, RateLimitUse, Retry, Scope, Severity, Source, Window,
};

pub use breaker::{Breaker, BreakerSeries, BreakerSnapshot, BreakerState, Permit, Reason, Transition};
pub use bulkhead::{Bulkhead, BulkheadPermit};
pub use classify::{Classified, Classify, HttpStatus, LONGEST_RETRY_AFTER, StatusError, classify, parse_retry_after};
pub use context::{CallContext, CorrelationId, CorrelationSource, Instrumented, Principal};
pub use error::{CatalogEntry, CircuitState, LimitKind, ResilienceError, TimeoutScope, ToolError};
pub use guard::{Guard, GuardedCall, InvalidPolicy};
#[cfg(feature = "logging")]
pub use logging::{LogGuard, init};
pub use pipeline::Answer;
#[cfg(feature = "rate-limit")]
pub use rate_limit::RateLimit;
pub use registry::{BreakerHandle, PolicyDescriptor, Registry, ScopedRegistry};
#[cfg(feature = "config")]
pub use settings::{InvalidSettings, Resilience};
pub use statistics::{
    AttemptOutcome, AttemptSnapshot, ErrorCount, ErrorGroup, ErrorType, HistogramSnapshot, Outcome, RecentError,
    Rejected, Suppressed, ToolSnapshot,
};

/// The examples of the README compile.
#[cfg(all(doctest, feature = "rmcp", feature = "cache", feature = "config"))]
#[doc = include_str!("../README.md")]
struct Readme;
