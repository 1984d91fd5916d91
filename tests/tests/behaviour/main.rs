//! What an annotated function does, under paused time.

#![allow(clippy::unused_async, reason = "a fallback is an async function, whatever it does")]

mod breaker;
mod budget;
mod bulkhead;
mod cancellation;
mod error;
mod fallback;
mod guard;
mod nested;
mod nested_chain;
mod nested_slow;
mod order;
mod order_optional;
mod panics;
mod permits;
mod rate_limit;
mod retry;
mod statistics;
mod timeout;
mod waiting;
mod windows;
