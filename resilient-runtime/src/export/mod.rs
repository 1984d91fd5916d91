//! Exporters. They read the statistics, so calls pay nothing for them.

mod format;
#[cfg(target_os = "linux")]
mod process;
pub mod prometheus;
