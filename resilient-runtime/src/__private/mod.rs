//! The interface for generated code. Nothing here is covered by semantic versioning: the crates depend on each other's
//! exact version.

mod classify;
mod clone;
#[cfg(feature = "deferred")]
mod defer_key;
#[cfg(feature = "deferred")]
mod delivered;
mod derive;
#[cfg(feature = "cache")]
mod kept;
#[cfg(feature = "cache")]
mod refresh;
mod request;
mod special;

/// Returns whether the clock of this build can be paused, which makes it slower. Used by the benches.
#[must_use]
pub const fn clock_can_be_paused() -> bool {
    crate::clock::CAN_BE_PAUSED
}

pub use crate::Breaker;
pub use crate::answer::{Answer, Fallible, FromResilience, Meaning};
pub use crate::keyed_hash::{Collected, PartitionKey};
pub use crate::log_fields::{LogFields as Shown, LogValue};
pub use crate::pipeline::{
    Call, CallCell, End, Function, Limit, Sides, Special as Told, Step, Then, Value, Writes, once, once_or, repeat,
    repeat_before, repeat_or, sides,
};
pub use crate::requested_time::RequestedTime;
pub use crate::site::{Entry, Location, Site};
pub use classify::{Classifiable, failure_of};
#[cfg(feature = "rmcp")]
pub use classify::{ToolResult, failure_of_result};
pub use clone::{Arg, NeededAgain, Next, Slot};
#[cfg(feature = "deferred")]
pub use defer_key::{DeferKey, defer_key};
pub use derive::*;
pub use resilient_policy::{
    BreakerSettings, BreakerUse, BulkheadSettings, BulkheadUse, CacheSettings, DeferredSettings, Effect, ErrorKind,
    Jitter, KindSet, OnExhausted, Policy, RateLimitSettings, RateLimitUse, Retry, Scope, Source, Window,
};
pub use special::Special;

pub use crate::__injected as injected;
pub use std::pin::pin;
pub use std::sync::Arc;
pub use std::time::Duration;
pub use {serde, serde_json};

#[cfg(feature = "cache")]
pub use crate::pipeline::{AnswerKey, Cached, ErrorSharing, Read, Refresh, once_read, repeat_read, repeat_read_before};
#[cfg(feature = "deferred")]
pub use delivered::Delivered;
#[cfg(feature = "cache")]
pub use kept::Kept;
#[cfg(feature = "cache")]
pub use refresh::{Refreshable, Refreshed, WithoutRequest, refreshable};
#[cfg(feature = "rmcp")]
pub use rmcp;

#[cfg(all(feature = "cache", feature = "rmcp"))]
pub use crate::mcp::canonical_parameters;
#[cfg(feature = "deferred")]
pub use crate::mcp::tasks;
#[cfg(feature = "rmcp")]
pub use crate::mcp::{
    Authorization, Authorize, Authorizing, Explain, Explained, Explanations, ServedMethod, ToolFunctions, authorizing,
    cached_router as shared, incoming as request, parameters, routed, subscribed, unauthorized,
};

/// The result of the function that runs before each retry.
pub type Renewed<R> = Result<(), <R as Fallible>::Error>;

/// Converts an error to the `is_error` result, or to the protocol error.
#[cfg(feature = "rmcp")]
pub fn tool_error<E: crate::ToolError>(error: &E) -> Result<rmcp::model::CallToolResponse, rmcp::ErrorData> {
    crate::mcp::tool_error(error)
}

/// Converts an error to a JSON-RPC error.
#[cfg(feature = "rmcp")]
pub fn error_data<E: crate::ToolError>(error: &E) -> rmcp::ErrorData {
    // The private text is not part of the JSON-RPC error, so this is the last place that can log it.
    crate::telemetry::converted(error);
    crate::mcp::error_data(error)
}

/// Expands to its input if the runtime has the feature `rmcp`, and to nothing otherwise.
#[cfg(feature = "rmcp")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_rmcp {
    ($($tokens:tt)*) => { $($tokens)* };
}

/// Expands to its input if the runtime has the feature `rmcp`, and to nothing otherwise.
#[cfg(not(feature = "rmcp"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_rmcp {
    ($($tokens:tt)*) => {};
}

pub use crate::__with_rmcp as with_rmcp;

/// Expands to its input if the runtime has the feature `deferred`, and to nothing otherwise.
#[cfg(feature = "deferred")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_deferred {
    ($($tokens:tt)*) => { $($tokens)* };
}

/// Expands to its input if the runtime has the feature `deferred`, and to nothing otherwise.
#[cfg(not(feature = "deferred"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_deferred {
    ($($tokens:tt)*) => {};
}

pub use crate::__with_deferred as with_deferred;

/// Expands to the description of a server, with the tasks extension if there is a store of deferred writes.
#[cfg(feature = "deferred")]
#[doc(hidden)]
#[macro_export]
macro_rules! __server_info {
    ($described:expr) => {
        $crate::__private::tasks::advertised($described)
    };
}

/// Expands to the description of a server.
#[cfg(not(feature = "deferred"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __server_info {
    ($described:expr) => {
        $described
    };
}

pub use crate::__server_info as server_info;

/// Expands to a call that may be deferred, if the runtime has the feature `deferred`.
#[cfg(feature = "deferred")]
#[doc(hidden)]
#[macro_export]
macro_rules! __deferred {
    ($entry:expr, $($defers:tt)*) => {
        $entry $($defers)*
    };
}

/// Expands to an error with advice, since the runtime does not have the feature `deferred`.
#[cfg(not(feature = "deferred"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __deferred {
    ($($tokens:tt)*) => {
        ::core::compile_error!(
            "`deferred` needs the feature `deferred` of `resilient-runtime`; add it in Cargo.toml, or remove the key"
        )
    };
}

pub use crate::__deferred as deferred;

/// Expands to its input if the runtime has the feature `rate-limit`.
#[cfg(feature = "rate-limit")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rate_limit {
    ($wanted:expr) => {
        $wanted
    };
}

/// Expands to an error with advice, since the runtime does not have the feature `rate-limit`.
#[cfg(not(feature = "rate-limit"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __rate_limit {
    ($wanted:expr) => {
        ::core::compile_error!(
            "`rate_limit` needs the feature `rate-limit` of `resilient-runtime`; add it in Cargo.toml, or remove the key"
        )
    };
}

pub use crate::__rate_limit as rate_limit;

/// Expands to its argument with `.distributed()`, since the runtime has the feature `replicas`.
#[cfg(feature = "replicas")]
#[doc(hidden)]
#[macro_export]
macro_rules! __distributed {
    ($wanted:expr) => {
        $wanted.distributed()
    };
}

/// Expands to an error with advice, since the runtime does not have the feature `replicas`.
#[cfg(not(feature = "replicas"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __distributed {
    ($wanted:expr) => {
        ::core::compile_error!(
            "`distributed` needs the crate `resilient-redis`; add it in Cargo.toml, or remove the word"
        )
    };
}

pub use crate::__distributed as distributed;
