//! What clients know of the tools of a server that may come back with others.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;

/// What clients know of the list of tools of a server, to compare it with the list after a reconnect.
#[derive(Debug, Default)]
pub struct KnownTools(Mutex<Known>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Known {
    /// No client has listed the tools.
    #[default]
    Nothing,
    /// The list had one page, with this hash.
    Page(u64),
    /// The list had several pages, or was answered without the server.
    Unclear,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'p> {
    #[serde(borrow)]
    tools: &'p RawValue,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl KnownTools {
    /// A client received this result of `tools/list`.
    pub fn passed(&self, result: &str, is_first: bool) {
        let seen = match read(result) {
            Some((hash, true)) if is_first => Known::Page(hash),
            _ => Known::Unclear,
        };
        self.set(seen);
    }

    /// A client was answered without the server.
    pub fn unclear(&self) {
        self.set(Known::Unclear);
    }

    /// Returns whether a client may know another list than the server has.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) == Known::Unclear
    }

    /// Returns whether clients have to list the tools again, now that the server has this list.
    #[must_use]
    pub fn differs(&self, result: Option<&str>) -> bool {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Known::Nothing => false,
            Known::Unclear => true,
            Known::Page(hash) => result.and_then(read) != Some((hash, true)),
        }
    }

    fn set(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// Returns the hash of the tools, and whether they are all.
fn read(result: &str) -> Option<(u64, bool)> {
    let page: Page<'_> = serde_json::from_str(result).ok()?;
    let mut hasher = DefaultHasher::new();
    page.tools.get().hash(&mut hasher);
    Some((hasher.finish(), page.next_cursor.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"tools":[{"name":"a"}]}"#;

    #[test]
    fn clients_list_again_if_the_tools_are_others_than_they_know() {
        let known = KnownTools::default();
        assert!(!known.differs(Some(ONE)));
        known.passed(ONE, true);
        assert!(!known.differs(Some(ONE)));
        assert!(known.differs(Some(r#"{"tools":[]}"#)) && known.differs(None));
        known.passed(r#"{"tools":[],"nextCursor":"2"}"#, true);
        assert!(known.differs(Some(ONE)));
        known.passed(ONE, true);
        known.unclear();
        assert!(known.differs(Some(ONE)));
    }
}
