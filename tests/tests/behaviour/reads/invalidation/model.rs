//! What happened to reads and writes, in the order in which it happened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// A position in the order of all events of a test.
pub(super) type Tick = u64;

/// A call of a read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) tool: &'static str,
    pub(super) began: Tick,
    /// When the run of the body began whose answer the call got.
    pub(super) served: Option<Tick>,
    /// When the last run of the body began that the call made itself.
    pub(super) own_run: Option<Tick>,
}

/// A call of a write.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) tool: &'static str,
    /// When its first attempt began.
    pub(super) body_began: Option<Tick>,
    pub(super) ended: Option<Tick>,
}

impl Write {
    /// Whether this write changes what that tool reads.
    pub(super) fn invalidates(&self, read: &str) -> bool {
        match self.tool {
            "write_both" => matches!(read, "list" | "look_up" | "list_often"),
            "write_one" => read == "look_up",
            _ => false,
        }
    }
}

/// The calls of a test.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) reads: Vec<Read>,
    pub(super) writes: Vec<Write>,
}

/// The calls of a test, and its clock.
#[derive(Debug, Default)]
pub(super) struct Facts {
    clock: AtomicU64,
    calls: Mutex<Calls>,
}

impl Facts {
    /// The next position. Each event has another one.
    pub(super) fn tick(&self) -> Tick {
        self.clock.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The calls so far.
    pub(super) fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().expect("not poisoned")
    }
}
