//! JSON views for operators. Numbers have their unit in the name of the field.

mod breakers;
#[cfg(all(feature = "deferred", feature = "http"))]
mod deferred;
mod errors;
#[cfg(feature = "rmcp")]
mod metrics;
#[cfg(feature = "http")]
mod policies;

#[cfg(feature = "status-page")]
pub(crate) use breakers::BreakerEntry;
pub(crate) use breakers::Breakers;
#[cfg(all(feature = "deferred", feature = "status-page"))]
pub(crate) use deferred::DeferredCounts;
#[cfg(all(feature = "deferred", feature = "http"))]
pub(crate) use deferred::{DeferredEntry, DeferredWrites};
pub(crate) use errors::Errors;
#[cfg(feature = "rmcp")]
pub(crate) use metrics::Metrics;
#[cfg(feature = "http")]
pub(crate) use policies::Policies;

/// Converts a duration to milliseconds with microsecond precision.
#[cfg(feature = "rmcp")]
#[expect(clippy::cast_precision_loss, reason = "no call lasts long enough to lose precision")]
fn ms(duration: std::time::Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}
