//! Tests of your own policies: faults on purpose, a clock that does not wait, assertions about what came of it.
//!
//! [`run`] gives a test a [`Lab`]: a registry of its own on a runtime whose clock is paused. There [`Chaos`]
//! lets guarded functions and tools go wrong by script, at the place of their body, so that retry, breaker,
//! timeouts and fallback do what they would do if the service behind them had. Then the lab is asked what
//! happened.
//!
//! ```
//! use resilient_runtime::testing::{self, Chaos, Fault};
//! use resilient_runtime::{ErrorKind, Outcome, ResilienceError, resilient};
//!
//! #[resilient(retry = 3, breaker = "shop", read_only)]
//! async fn count_orders() -> Result<u32, ResilienceError> {
//!     Ok(7) // here: whatever the shop says
//! }
//!
//! # fn main() {
//! testing::run(async |lab| {
//!     lab.inject(Chaos::new().on("count_orders", [Fault::error(ErrorKind::Unavailable).times(2)]));
//!
//!     let call = lab.timed(count_orders()).await;
//!     assert_eq!(call.answer, Ok(7));
//!     call.assert_took_between("1.5s", "3s"); // delays of 1 s and 2 s, each 50 to 100 % of it
//!     lab.calls("count_orders").assert_outcomes([(Outcome::Ok, 1)]).assert_retries(2);
//!     lab.breaker("shop").assert_closed();
//! });
//! # }
//! ```
//!
//! # The feature
//!
//! All of this is there with the feature `testing` alone, which belongs in the `dev-dependencies`:
//!
//! ```toml
//! [dev-dependencies]
//! resilient-runtime = { version = "0.1", features = ["testing"] }
//! ```
//!
//! There cargo switches it on for tests, examples and benches, and not for the server that is built without
//! them. In such builds every attempt asks whether it is to fail, and as tokio's feature `test-util` comes along,
//! a call reads tokio's clock instead of the processor's. Without the feature no code of it is in the program.
//! A package of a workspace that has it among its `dependencies` switches it on for all that are built together
//! with it: then build the server by its name (`cargo build -p server`). So does a workspace with `resolver = "1"`,
//! which is what a `Cargo.toml` without packages has where it names none. Where your dependency has
//! `default-features = false`, the dev-dependency needs it too.
//!
//! What to test, and how a test speaks MCP, is on the page [`guide::testing`](crate::guide::testing).

#![allow(clippy::must_use_candidate, reason = "an assertion is called for what it refuses")]

mod breaker;
mod caller;
mod calls;
mod chaos;
mod fault;
mod lab;
mod names;
mod policy;
mod timed;

pub use breaker::ObservedBreaker;
pub use caller::Caller;
pub use calls::ObservedCalls;
pub use chaos::Chaos;
pub use fault::Fault;
pub use lab::{Lab, run};
pub use policy::ObservedPolicy;
pub use timed::Timed;

use std::time::Duration;

use resilient_policy::parse_duration;

/// A duration as attributes write it, or none at all.
#[track_caller]
fn duration(text: &str) -> Duration {
    if matches!(text.trim(), "0s" | "0ms") {
        return Duration::ZERO;
    }
    match parse_duration(text) {
        Ok(duration) => duration,
        Err(why) => panic!("{why}"),
    }
}
