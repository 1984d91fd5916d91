//! Names with static lifetime, as breakers and guards have them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The number of names that are kept for the life of the process.
const NAMES: usize = 20_000;

/// Returns the name with static lifetime. Each name is kept once. Further names than 20,000 are one: a server that invents
/// names must not fill the memory.
pub(crate) fn interned(name: &str) -> &'static str {
    static KNOWN: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(known) = known.get(name) {
        return known;
    }
    if known.len() >= NAMES {
        return "other";
    }
    let name: &'static str = Box::leak(name.into());
    known.insert(name);
    name
}
