//! Names with static lifetime, as breakers and guards have them.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
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

/// The maximum length of the name of a breaker.
const NAME: usize = 64;

/// Returns a name as breakers have them, of letters, digits, `_`, `.` and `-`. Names that differ otherwise differ in a
/// suffix.
pub(crate) fn breaker_name(name: &str) -> &'static str {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.len() <= NAME && name.chars().all(is_allowed) {
        return interned(name);
    }
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let suffix = format!("-{:08x}", hasher.finish() & 0xffff_ffff);
    let start = name.chars().map(|c| if is_allowed(c) { c } else { '_' });
    let start: String = start.take(NAME - suffix.len()).collect();
    interned(&(start + &suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_the_name_of_a_breaker() {
        assert_eq!(breaker_name("web.get-page"), "web.get-page");
        let odd =
            ["web.a/b", "web.a b", &format!("web.{}", "x".repeat(100)), &format!("web.{}", "x".repeat(101)), "wéb.ü"];
        let names: std::collections::BTreeSet<_> = odd.iter().map(|name| breaker_name(name)).collect();
        assert_eq!(names.len(), odd.len());
        assert!(names.iter().all(|name| name.len() <= 64 && name.is_ascii()), "{names:?}");
    }
}
