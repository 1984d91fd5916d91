//! What operators are shown, as JSON: numbers, with their unit in the name of the field.

mod breakers;
mod errors;
#[cfg(feature = "rmcp")]
mod metrics;

pub(crate) use breakers::Breakers;
pub(crate) use errors::Errors;
#[cfg(feature = "rmcp")]
pub(crate) use metrics::Metrics;

/// Milliseconds, to the microsecond.
#[cfg(feature = "rmcp")]
#[expect(clippy::cast_precision_loss, reason = "no call takes as long")]
fn ms(duration: std::time::Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}
