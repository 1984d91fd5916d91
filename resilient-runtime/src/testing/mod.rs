//! Tests for your own policies: injected faults, a paused clock, and assertions about the results.
//!
//! [`run`] gives a test a [`Lab`]: a separate registry on a runtime whose clock is paused. In the lab, [`Chaos`]
//! injects faults into guarded functions and tools in place of their bodies. Retry, breaker, timeouts and fallback
//! react as they would to a real failure of the service. Afterwards the test makes assertions about what the lab
//! recorded.
//!
//! ```
//! use resilient_runtime::testing::{self, Chaos, Fault};
//! use resilient_runtime::{ErrorKind, Outcome, ResilienceError, resilient};
//!
//! #[resilient(retry = 3, breaker = "shop", read_only)]
//! async fn count_orders() -> Result<u32, ResilienceError> {
//!     Ok(7) // in reality, a request to the shop
//! }
//!
//! # fn main() {
//! testing::run(async |lab| {
//!     lab.inject(Chaos::new().on("count_orders", [Fault::error(ErrorKind::Unavailable).times(2)]));
//!
//!     let call = lab.timed(count_orders()).await;
//!     assert_eq!(call.answer, Ok(7));
//!     call.assert_took_between("1.5s", "3s"); // delays of 1 s and 2 s, each with a jitter of 50 to 100 %
//!     lab.calls("count_orders").assert_outcomes([(Outcome::Ok, 1)]).assert_retries(2);
//!     lab.breaker("shop").assert_closed();
//! });
//! # }
//! ```
//!
//! # The feature
//!
//! This module exists only with the feature `testing`, which belongs in the `dev-dependencies`:
//!
//! ```toml
//! [dev-dependencies]
//! resilient-runtime = { version = "0.1", features = ["testing"] }
//! ```
//!
//! There, cargo enables it for tests, examples and benches, but not for a server that is built without them. In builds
//! with the feature, every attempt checks for an injected fault, and calls read tokio's clock instead of the
//! processor's, because tokio's feature `test-util` is enabled too. Without the feature, none of this code is in the
//! binary. If a package of a workspace has the feature in its `dependencies`, cargo enables it for all packages that
//! are built together with it; in this case, build the server by its name (`cargo build -p server`). The same applies
//! to workspaces with `resolver = "1"`, which is the default of a `Cargo.toml` without a package. If your dependency
//! has `default-features = false`, so must the dev-dependency.
//!
//! For what to test, and for tests over MCP, see [`guide::testing`](crate::guide::testing).

#![allow(clippy::must_use_candidate, reason = "assertions are called for their panics")]

mod breaker;
mod caller;
mod calls;
mod chaos;
#[cfg(feature = "deferred")]
pub mod deferred;
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

/// Parses a duration in the syntax of the attributes, or zero.
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
