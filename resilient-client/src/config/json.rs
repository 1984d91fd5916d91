//! JSON whose values are parts of the text, so that each has a position.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::config::problem::Problems;

/// The characters of a key that messages show.
const SHOWN: usize = 64;

/// A member of an object.
pub(super) struct Member<'t> {
    pub(super) key: String,
    /// The key as written in the text.
    pub(super) raw_key: &'t str,
    /// The path of the member, for messages.
    pub(super) path: String,
    pub(super) value: &'t RawValue,
}

/// The members of an object in the order of the text, with duplicates.
struct Members<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Members<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Checks the syntax of a whole text.
pub(super) fn parse<'t>(text: &'t str, problems: &mut Problems<'t>) -> Option<&'t RawValue> {
    let error = match serde_json::from_str::<&RawValue>(text) {
        Ok(root) => return Some(root),
        Err(error) => error,
    };
    let line_start = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    // The column counts the bytes up to and including the one that is wrong.
    let mut offset = (line_start + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let said = error.to_string();
    let what = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
    let (before, rest) = text.split_at_checked(offset).unwrap_or((text, ""));
    let hint = if rest.starts_with('/') {
        "; JSON has no comments"
    } else if rest.starts_with(['}', ']']) && before.trim_end().ends_with(',') {
        "; remove the comma before it"
    } else {
        ""
    };
    let problem = problems.at_offset(offset, "", format!("this is not JSON: {what}{hint}"));
    problems.found.push(problem);
    None
}

/// Reads the members of an object. Reports any other value, and keys that appear twice, of which it returns the first.
/// `what` names a key for the message about a duplicate, in the plural.
pub(super) fn members<'t>(
    object: &'t RawValue,
    path: &str,
    what: &str,
    problems: &mut Problems<'t>,
) -> Option<Vec<Member<'t>>> {
    let Some(Members(raw)) = serde_json::from_str(object.get()).ok() else {
        problems.add(object.get(), path, format!("expected an object, found {}", type_of(object)));
        return None;
    };
    let mut members: Vec<Member<'t>> = Vec::with_capacity(raw.len());
    for (raw_key, value) in raw {
        let raw_key = raw_key.get();
        let Ok(key) = serde_json::from_str::<String>(raw_key) else {
            problems.add(raw_key, path, "a key contains an escape that is not a character");
            continue;
        };
        if let Some(first) = members.iter().find(|member| member.key == key) {
            let line = problems.line_of(first.raw_key);
            let message = format!("two {what} are called `{}`; the other is in line {line}", shown(&key));
            problems.add(raw_key, &first.path, message);
            continue;
        }
        members.push(Member { path: under(path, &key), key, raw_key, value });
    }
    Some(members)
}

/// Reads a list. Reports any other value.
pub(super) fn list<'t>(value: &'t RawValue, path: &str, problems: &mut Problems<'t>) -> Option<Vec<&'t RawValue>> {
    let list = serde_json::from_str(value.get()).ok();
    if list.is_none() {
        problems.add(value.get(), path, format!("expected a list, found {}", type_of(value)));
    }
    list
}

/// Reads a text. Reports any other value.
pub(super) fn text<'t>(value: &'t RawValue, path: &str, problems: &mut Problems<'t>) -> Option<String> {
    let message = match (serde_json::from_str(value.get()), type_of(value)) {
        (Ok(text), _) => return Some(text),
        (_, "a text") => "the text contains an escape that is not a character".into(),
        (_, found @ ("a number" | "a boolean")) => {
            format!("expected a text, found {found}; write it in quotes")
        }
        (_, found) => format!("expected a text, found {found}"),
    };
    problems.add(value.get(), path, message);
    None
}

/// Reads `true` or `false`. Reports any other value.
pub(super) fn flag<'t>(value: &'t RawValue, path: &str, problems: &mut Problems<'t>) -> Option<bool> {
    let flag = serde_json::from_str(value.get()).ok();
    if flag.is_none() {
        problems.add(value.get(), path, format!("expected `true` or `false`, found {}", type_of(value)));
    }
    flag
}

pub(super) fn type_of(value: &RawValue) -> &'static str {
    match value.get().bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Returns a path with one more key.
fn under(path: &str, key: &str) -> String {
    let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let key = if is_plain { shown(key) } else { format!("\"{}\"", shown(key)) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// Returns a key for messages, on one line and not too long.
pub(super) fn shown(key: &str) -> String {
    let mut letters = key.chars();
    let start: String = letters.by_ref().take(SHOWN).flat_map(char::escape_debug).collect();
    if letters.next().is_some() { start + "…" } else { start }
}
