//! Exporters: they read the statistics and cost the calls nothing.

mod collector;
mod format;
#[cfg(target_os = "linux")]
mod process;
pub mod prometheus;
