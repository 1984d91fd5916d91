//! Alerts: their rules, which hold for Prometheus and in this process.

pub(crate) mod rules;
