//! The data for operators: metrics, traces, logs, health, recent errors, and the tools and routes that show them.

mod cardinality;
mod deferred;
mod gate;
mod health;
mod http;
mod listeners;
mod log_args;
mod logging;
mod methods;
mod metrics;
mod operator;
mod otel;
mod recent_errors;
mod replicas;
mod series;
mod subscriptions;
mod trends;
