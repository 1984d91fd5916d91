//! The behaviour of annotated functions: the policies in paused time, random histories against a model, the limits of
//! values, and the feature `testing`.

#![allow(clippy::unused_async, reason = "a fallback has to be an async function")]

mod breaker;
mod breaker_model;
mod budget;
mod bulkhead;
mod calls;
mod cancellation;
mod chaos;
mod deferred;
mod error;
mod extremes;
mod fallback;
mod gate;
mod gate_routes;
mod gate_waits;
mod guard;
mod guard_tools;
mod level_by_health;
#[cfg(target_os = "linux")]
mod memory;
mod nested;
mod nested_chain;
mod nested_slow;
mod order;
mod order_optional;
mod panics;
mod permits;
mod rate_limit;
mod reads;
mod reads_engine;
mod retry;
mod statistics;
mod testing;
mod timeout;
mod waiting;
mod windows;
