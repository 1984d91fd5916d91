//! The tools of all routers of this process, their features, and which of them are critical.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Gated;

#[derive(Debug, Default)]
struct Known {
    tools: BTreeSet<String>,
    features: BTreeSet<String>,
    critical: BTreeSet<String>,
}

fn known() -> MutexGuard<'static, Known> {
    static KNOWN: Mutex<Known> =
        Mutex::new(Known { tools: BTreeSet::new(), features: BTreeSet::new(), critical: BTreeSet::new() });
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a tool.
pub(super) fn add(tool: &Gated<'_>) {
    let (mut known, names) = (known(), tool.names.map(str::to_owned));
    known.features.extend(tool.features.iter().map(ToString::to_string));
    if tool.is_critical {
        known.critical.extend(names.clone());
    }
    known.tools.extend(names);
}

/// Returns the names of the tools: those of their routes and of their policies.
pub(crate) fn tools() -> BTreeSet<String> {
    known().tools.clone()
}

pub(super) fn features() -> BTreeSet<String> {
    known().features.clone()
}

/// Returns the names of the critical tools: those of their routes and of their policies.
pub(crate) fn critical() -> BTreeSet<String> {
    known().critical.clone()
}
