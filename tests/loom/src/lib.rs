//! The state machine of the breaker under a model checker: the same file that the runtime compiles, with atomics that
//! try every interleaving and every value that a load may see.
//!
//! Run it with `cargo test -p resilient-loom`.

#![cfg(test)]

#[path = "../../../resilient-runtime/src/breaker/core.rs"]
#[allow(dead_code, unreachable_pub, reason = "what only the runtime calls, and what it shows to others")]
mod machine;

#[path = "../../../resilient-runtime/src/breaker/state.rs"]
#[allow(dead_code, unreachable_pub, reason = "what only the runtime calls, and what it shows to others")]
mod state;

#[path = "../../../resilient-runtime/src/breaker/ticket.rs"]
#[allow(dead_code, unreachable_pub, reason = "what only the runtime calls")]
mod ticket;

#[path = "../../../resilient-runtime/src/breaker/timer.rs"]
#[allow(unreachable_pub, reason = "what the runtime shows to others")]
mod timer;

#[path = "../../../resilient-runtime/src/breaker/word.rs"]
#[allow(unreachable_pub, reason = "what the runtime shows to others")]
mod word;

mod models;
mod sync;
