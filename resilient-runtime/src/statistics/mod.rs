//! What is counted: one place, written by the pipeline and read by whoever exports it.
//!
//! What goes well is counted in shards of fixed size, which nobody waits for; each is allocated when a
//! thread first counts something in it. What
//! goes wrong is counted under a short lock, by the few ways in which it can: memory depends on how
//! many tools there are, and not on what clients send.

mod attempts;
mod failures;
mod histogram;
mod line;
mod recent;
pub(crate) mod sharded;
mod tool;

pub use attempts::AttemptSnapshot;
pub(crate) use attempts::{AttemptStatistics, Heard};
pub use failures::{ErrorCount, ErrorType};
pub(crate) use histogram::Histogram;
pub use histogram::HistogramSnapshot;
pub(crate) use recent::RecentErrors;
pub use recent::{ErrorGroup, RecentError};
pub use tool::ToolSnapshot;
pub(crate) use tool::ToolStatistics;
