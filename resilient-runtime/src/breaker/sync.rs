//! The atomics of the state machine, replaced by those of a model checker in the loom tests.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
