//! The atomics that the state machine runs on; a model checker puts its own here.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
