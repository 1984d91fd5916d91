//! Exporters. They read the statistics, so calls pay nothing for them.

mod collector;
mod format;
#[cfg(target_os = "linux")]
mod process;
pub mod prometheus;

#[cfg(feature = "status-page")]
pub(crate) use format::accepted_quality;
