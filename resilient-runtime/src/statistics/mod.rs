//! Statistics: written by the pipeline, read by the exporters and by users.
//!
//! Successes are counted in lock-free shards of fixed size; a shard is allocated when a thread first counts
//! something in it. Failures are counted under a short lock, by the few ways in which a call can fail. Memory
//! depends on the number of tools, and not on what clients send.

mod attempts;
mod cache;
mod cache_line;
mod counted_once;
#[cfg(feature = "deferred")]
mod deferred;
mod failures;
mod groups;
mod histogram;
mod last_day;
mod recent;
#[cfg(feature = "http")]
mod refused;
pub(crate) mod sharded;
mod tool;

pub use attempts::AttemptSnapshot;
pub(crate) use attempts::{AttemptStatistics, BreakerRecord};
pub use cache::CacheSnapshot;
#[cfg(feature = "cache")]
pub(crate) use cache::CacheStatistics;
pub(crate) use counted_once::CountedOnce;
#[cfg(feature = "deferred")]
pub use deferred::DeferredResult;
#[cfg(feature = "deferred")]
pub(crate) use deferred::DeferredStatistics;
pub use failures::{ErrorCount, ErrorType};
pub use groups::{ErrorGroup, ErrorTrend, Trend};
pub(crate) use histogram::Histogram;
pub use histogram::HistogramSnapshot;
pub use recent::RecentError;
pub(crate) use recent::RecentErrors;
#[cfg(feature = "http")]
pub(crate) use refused::{AdminRefusal, AdminRefusals};
pub use tool::ToolSnapshot;

pub use crate::outcomes::{AttemptOutcome, CacheResult, Rejected, Suppressed};
pub(crate) use tool::ToolStatistics;
