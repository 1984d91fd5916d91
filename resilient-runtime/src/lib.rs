//! Retries, circuit breakers, deadlines and fallbacks for the tools of MCP servers, with one attribute.
//!
//! Put [`#[resilient]`](macro@resilient) above `#[tool]` on a tool of an [rmcp] server, and derive
//! [`McpError`](derive@McpError) for its errors. Then every call is answered in time, even if the service behind it
//! fails. Configuration that cannot work does not compile.
//!
//! # What happens to a call
//!
//! All parts have one fixed order, outermost first:
//!
//! ```text
//! hook: context, statistics, outer panic barrier
//!   → cancellation → authorize → fallback → gate → cache → rate limit → timeout → retry → breaker → bulkhead
//!   → attempt timeout → panic barrier → body
//! ```
//!
//! An *attempt* is one run of the body, a *call* everything that happens for one request of a tool.
//!
//! - The cache, with `fresh`, serves a fresh answer, or that of a call with the same key that is under way, in place of
//!   everything below it.
//! - A tool with `fallback = deferred` searches its store before the gate, and answers with what it finds there.
//! - The rate limit counts calls and never waits. With `distributed`, it waits at most 50 ms for the replicas' shared
//!   state.
//! - The timeout covers queueing, all attempts and the delays between them.
//! - The breaker admits and records each attempt separately. Each attempt takes a permit of the bulkhead, for which
//!   it may have to queue; between attempts none is held.
//! - A panic is caught around the attempt. It is neither retried nor counted against the dependency.
//! - A fallback gets the final error and runs outside of breaker and timeout, with a separate limit.
//! - A call that is cancelled, by the client or by dropping its future, ends at once: the attempt is dropped, every
//!   permit is released, and no retry or fallback runs.
//!
//! # Guide
//!
//! Start with [`guide::first_tool`] for a tool from nothing, or with [`guide::adopting`] for an existing server.
//! [`guide::keys`] lists every key with its units, defaults and limits, [`guide::errors`] describes errors on the
//! wire, [`guide::settings`] the sources of settings and what an operator can change, [`guide::observing`] what an
//! operator sees, [`guide::alerting`] what an operator is notified of, [`guide::operating`] how to run a server.
//! [`guide::deferring`] says when to accept writes for later. [`guide::testing`] tests policies,
//! [`guide::performance`] measures their cost, [`guide::migrating`] replaces retry loops, tower's layers and
//! `FastMCP`'s middleware, and [`guide::alternatives`] compares this crate with others. To guard a future that is not a
//! function, use a [`Guard`].
//!
//! # Requirements
//!
//! Rust 1.88, a Tokio runtime with time enabled, and for tools rmcp 3.11, with any of its transports.
//!
//! | feature | default | adds | depends on |
//! |---|---|---|---|
//! | `rmcp` | yes | tools: the hook around each call, results with `isError` and `_meta`, a cached router | rmcp with its features `server` and `macros` |
//! | `cache` | yes | `fallback = cached` | `quick_cache` |
//! | `config` | yes | `Resilience::from_env()` | toml, which the macros also need |
//! | `rate-limit` | yes | `rate_limit`, `RateLimit` | governor |
//! | `deferred` | | `fallback = deferred`, and the module `deferred`: what a store of deferred writes implements; enables `config` and `rmcp` | getrandom |
//! | `replicas` | | `distributed`, and the module `replicas`: what a store of the state that replicas share implements, as the crate `resilient-redis` does; enables `config` | nothing |
//! | `logging` | | `init()`: JSON lines on stderr, masked | tracing-subscriber |
//! | `reqwest` | | kinds for `reqwest::Error` | reqwest 0.13 |
//! | `reqwest-012` | | kinds for the `reqwest::Error` of reqwest 0.12, beside `reqwest` or alone | reqwest 0.12 |
//! | `prometheus` | | the modules `export::prometheus`: metrics as text, and `operations`: rules for Prometheus and a dashboard for Grafana | prometheus-client, on Linux procfs |
//! | `http` | | the module `http`: routes for axum; enables `prometheus` | axum 0.8 |
//! | `status-page` | | the status page, for browsers at `/status` of the routes for operators; enables `http` | maud |
//! | `alerts` | | the module `alerts`: alerts that the process sends to the log, webhooks and Alertmanager; enables `config` | reqwest 0.13 |
//! | `otel` | | the module `otel`: spans and metrics; enables `logging` | opentelemetry 0.33, tracing-opentelemetry, reqwest |
//! | `testing` | | the module `testing`, for dev-dependencies: a paused clock and injected faults | tokio's feature `test-util` |
//!
//! Without any feature, the crate has timeouts, retries, breakers, bulkheads and fallbacks for plain async functions.
//!
//! [rmcp]: https://docs.rs/rmcp

// On docs.rs each item shows the feature that it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Some items are only used by the `rmcp` hook, the cache or the settings.
#![cfg_attr(not(all(feature = "rmcp", feature = "cache", feature = "config")), allow(dead_code))]

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "http")]
mod access_token;
mod adjusted;
#[cfg(any(feature = "prometheus", feature = "alerts"))]
mod alerting;
#[cfg(feature = "alerts")]
pub mod alerts;
mod answer;
mod binding;
pub mod breaker;
pub mod bulkhead;
#[cfg(feature = "cache")]
mod cache;
pub mod classify;
mod clock;
pub mod connections;
pub mod context;
#[cfg(feature = "deferred")]
pub mod deferred;
pub mod error;
#[cfg(feature = "prometheus")]
pub mod export;
pub mod gate;
pub mod guard;
#[cfg(any(all(doc, not(doctest)), all(doctest, feature = "rmcp", feature = "cache", feature = "config")))]
pub mod guide;
pub mod health;
#[cfg(feature = "http")]
pub mod http;
pub mod identity;
mod keyed_hash;
mod log_fields;
#[cfg(feature = "logging")]
pub mod logging;
#[cfg(feature = "rmcp")]
pub mod mcp;
#[cfg(feature = "prometheus")]
pub mod operations;
#[cfg(feature = "otel")]
pub mod otel;
mod outcomes;
mod panics;
mod pipeline;
/// What a function is guarded by: its policy, and the settings that the policy is made of.
pub mod policy {
    pub use resilient_policy::{
        BreakerSettings, BreakerUse, BulkheadSettings, BulkheadUse, CacheSettings, DeferredSettings, Effect, Jitter,
        KindSet, OnExhausted, Policy, Problem, Rate, RateLimitSettings, RateLimitUse, Retry, Scope, Source, Window,
    };
}
#[cfg(feature = "rate-limit")]
mod rate_limit;
pub mod redact;
pub mod registry;
#[cfg(feature = "replicas")]
pub mod replicas;
mod requested_time;
mod retry;
#[cfg(any(feature = "prometheus", feature = "otel"))]
#[cfg_attr(not(feature = "prometheus"), allow(dead_code, reason = "OpenTelemetry has only some of them"))]
mod series;
#[cfg(feature = "config")]
mod settings;
mod site;
pub mod sources;
#[cfg(feature = "config")]
pub mod startup;
pub mod statistics;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod trace;
#[cfg(any(feature = "http", feature = "rmcp"))]
mod view;

pub use breaker::Breaker;
pub use bulkhead::Bulkhead;
pub use classify::Classify;
pub use context::CallContext;
pub use error::{ResilienceError, ToolError};
pub use guard::Guard;
pub use outcomes::Outcome;
#[cfg(feature = "rate-limit")]
pub use rate_limit::RateLimit;
pub use registry::Registry;
pub use resilient_macros::{McpError, resilient};
pub use resilient_policy::{ErrorKind, Policy};
#[cfg(feature = "config")]
pub use startup::Resilience;

/// The examples of the README compile.
#[cfg(all(doctest, feature = "rmcp", feature = "cache", feature = "config"))]
#[doc = include_str!("../README.md")]
struct Readme;
