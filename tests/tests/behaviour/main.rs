//! What an annotated function does, under paused time.

mod breaker;
mod cancellation;
mod error;
mod fallback;
mod panics;
mod retry;
mod statistics;
mod timeout;
