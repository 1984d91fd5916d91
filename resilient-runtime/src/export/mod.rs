//! Exporters: they read the statistics and cost the calls nothing.

pub mod prometheus;
