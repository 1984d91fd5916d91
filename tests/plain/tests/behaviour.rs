//! The behaviour tests that need neither rmcp nor a cache, without these features.
//!
//! Run them alone (`cargo test -p resilient-plain`): together with other packages of the workspace, the runtime is
//! built with their features.

#![allow(clippy::unused_async, reason = "a fallback has to be an async function")]

#[path = "../../tests/behaviour/breaker.rs"]
mod breaker;
#[path = "../../tests/behaviour/budget.rs"]
mod budget;
#[path = "../../tests/behaviour/bulkhead/mod.rs"]
mod bulkhead;
#[path = "../../tests/behaviour/cancellation.rs"]
mod cancellation;
#[path = "../../tests/behaviour/error.rs"]
mod error;
#[path = "../../tests/behaviour/guard.rs"]
mod guard;
#[path = "../../tests/behaviour/order.rs"]
mod order;
#[path = "../../tests/behaviour/panics.rs"]
mod panics;
#[path = "../../tests/behaviour/retry.rs"]
mod retry;
#[path = "../../tests/behaviour/statistics.rs"]
mod statistics;
#[path = "../../tests/behaviour/timeout.rs"]
mod timeout;
#[path = "../../tests/behaviour/windows.rs"]
mod windows;
