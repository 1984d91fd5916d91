//! Exporters. They read the statistics, so calls pay nothing for them.

mod collector;
mod format;
#[cfg(target_os = "linux")]
mod process;
pub mod prometheus;
