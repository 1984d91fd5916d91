//! The tools of all routers of this process, and their features.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Known {
    tools: BTreeSet<String>,
    features: BTreeSet<String>,
}

fn known() -> MutexGuard<'static, Known> {
    static KNOWN: Mutex<Known> = Mutex::new(Known { tools: BTreeSet::new(), features: BTreeSet::new() });
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a tool.
pub(super) fn add(names: &[&str], features: &[&str]) {
    let mut known = known();
    known.tools.extend(names.iter().map(ToString::to_string));
    known.features.extend(features.iter().map(ToString::to_string));
}

pub(super) fn tools() -> BTreeSet<String> {
    known().tools.clone()
}

pub(super) fn features() -> BTreeSet<String> {
    known().features.clone()
}
