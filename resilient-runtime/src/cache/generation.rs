//! Generations: how often writes have invalidated the answers of a tool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How often writes have invalidated the answers of one tool. An answer is served only in the generation in which its
/// read began.
#[derive(Debug, Default)]
pub(crate) struct Generation(AtomicU64);

impl Generation {
    pub(crate) fn current(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The generations that a write raises: when its body starts, and when its call ends, however it ends.
#[derive(Debug)]
pub(crate) struct Generations {
    of: Arc<[Arc<Generation>]>,
    has_begun: AtomicBool,
}

impl Generations {
    pub(crate) const fn new(of: Arc<[Arc<Generation>]>) -> Self {
        Self { of, has_begun: AtomicBool::new(false) }
    }

    /// Begins the write: what was read before it may be outdated.
    pub(crate) fn begin(&self) {
        self.has_begun.store(true, Ordering::SeqCst);
        self.raise();
    }

    fn raise(&self) {
        self.of.iter().for_each(|generation| generation.raise());
    }
}

impl Drop for Generations {
    fn drop(&mut self) {
        if self.has_begun.load(Ordering::SeqCst) {
            self.raise();
            // A read of one tool that began after its generation was raised may have used an answer of another tool
            // whose generation was not raised yet.
            self.raise();
        }
    }
}
