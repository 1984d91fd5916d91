//! Masks texts that look like secrets in everything that leaves the process: responses and log lines.
//!
//! This is a second line of defence. Secrets should not be in a public text in the first place (`#[mcp(secret)]`, a
//! kind whose own text is private). This module catches those that slipped in, by the name of their field and by their
//! form: bearer tokens, keys with a known prefix (`sk-…`, `ghp_…`, `AKIA…`), JSON web tokens, PEM blocks, URLs with
//! credentials, `password=…`, and pairs such as `("x-api-key", "…")`. It prefers masking too much to masking too
//! little.

mod pattern;
mod scan;

pub use scan::MASK;

use serde_json::{Map, Value};

pub use resilient_policy::is_secret_name;

/// The maximum length in characters of a text that leaves the process.
pub(crate) const LONGEST: usize = 1_000;

/// Masks everything that looks like a secret in a text.
///
/// ```
/// use resilient_runtime::redact;
///
/// assert_eq!(redact::text("GET https://ann:pw@example.org/?token=abc&id=7"), "GET https://***@example.org/?token=***&id=7");
/// assert_eq!(redact::text("Authorization: Bearer eyJhbGciOi"), "Authorization: ***");
/// assert_eq!(redact::text("the monkey's issue_key=ABC-1"), "the monkey's issue_key=ABC-1");
/// ```
#[must_use]
pub fn text(text: &str) -> String {
    pattern::mask(text)
}

/// Masks secrets in a JSON value at any depth: values under a secret's name, and parts of other texts that look like
/// secrets.
///
/// ```
/// use resilient_runtime::redact;
/// use serde_json::json;
///
/// let masked = redact::json(json!({ "user": "ann", "api_key": "abc", "note": ["Bearer eyJhbGciOi"] }));
/// assert_eq!(masked, json!({ "user": "ann", "api_key": redact::MASK, "note": ["Bearer ***"] }));
/// ```
#[must_use]
pub fn json(value: Value) -> Value {
    masked(value, text)
}

/// Masks values under a secret's name only, and does not search other texts.
pub(crate) fn by_name(value: Value) -> Value {
    masked(value, str::to_owned)
}

fn masked(value: Value, other: fn(&str) -> String) -> Value {
    match value {
        Value::String(plain) => Value::String(other(&plain)),
        Value::Array(items) => Value::Array(masked_items(items, other)),
        Value::Object(members) => Value::Object(masked_members(members, other)),
        scalar => scalar,
    }
}

fn masked_items(items: Vec<Value>, other: fn(&str) -> String) -> Vec<Value> {
    // `["x-api-key", "v"]` is a pair, and `["--token", "v", "-v"]` are the arguments of a command.
    let is_pair = items.len() == 2;
    let mut is_value = false;
    items
        .into_iter()
        .map(|item| {
            if std::mem::take(&mut is_value) && item.is_string() {
                return Value::String(MASK.into());
            }
            is_value = item.as_str().is_some_and(|name| (is_pair || is_option(name)) && is_secret_name(name));
            masked(item, other)
        })
        .collect()
}

/// Returns whether a word is the name of an option: `--token`, but not `--token=v`.
fn is_option(word: &str) -> bool {
    word.starts_with('-') && !word.contains(|c: char| c == '=' || c == ':' || c.is_whitespace())
}

/// Returns whether an object is a pair of a secret's name and its value: `{"name": "x-api-key", "value": ".."}`.
fn names_a_secret(members: &Map<String, Value>) -> bool {
    let is_name = |name: &str| ["name", "key", "header", "field", "param"].iter().any(|n| name.eq_ignore_ascii_case(n));
    members.iter().any(|(name, value)| is_name(name) && value.as_str().is_some_and(is_secret_name))
}

/// Masks secrets in the members of an object, like [`json`].
///
/// ```
/// use resilient_runtime::redact;
/// use serde_json::{Map, json};
///
/// let members = Map::from_iter([("password".to_owned(), json!("hunter2"))]);
/// assert_eq!(redact::object(members)["password"], redact::MASK);
/// ```
#[must_use]
pub fn object(members: Map<String, Value>) -> Map<String, Value> {
    masked_members(members, text)
}

fn masked_members(members: Map<String, Value>, other: fn(&str) -> String) -> Map<String, Value> {
    let is_pair = names_a_secret(&members);
    members
        .into_iter()
        .map(|(name, value)| {
            let is_value = is_pair && ["value", "values"].iter().any(|word| name.eq_ignore_ascii_case(word));
            let value = match value {
                Value::Null => Value::Null,
                _ if is_value || is_secret_name(&name) => Value::String(MASK.into()),
                value => masked(value, other),
            };
            (name, value)
        })
        .collect()
}

/// Masks a member of a log line, and cuts each text in it at 1,000 characters.
#[cfg(feature = "logging")]
pub(crate) fn member(name: &str, value: Value) -> Value {
    fn each(value: Value, change: fn(String) -> String) -> Value {
        match value {
            Value::String(text) => Value::String(change(text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| each(item, change)).collect()),
            Value::Object(members) => {
                Value::Object(members.into_iter().map(|(name, value)| (name, each(value, change))).collect())
            }
            scalar => scalar,
        }
    }
    if !value.is_null() && is_secret_name(name) {
        return Value::String(MASK.into());
    }
    // Bound texts and remove invisible characters before masking, because such characters could hide a secret.
    each(json(each(value, |text| bounded(&text).chars().filter(|c| !is_deceptive(*c)).collect())), cut)
}

/// Prepares a text for leaving the process, on one line: removes characters that hide or reorder others, masks secrets,
/// then cuts it at 1,000 characters.
pub(crate) fn fit(plain: &str) -> String {
    // Invisible characters go first, because they could hide a secret. Line breaks go last, because they may end one.
    let shown: String = bounded(plain).chars().filter(|c| !is_deceptive(*c)).collect();
    cut(text(&shown).chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// Returns the first 64 KiB of a text, cut between two words.
fn bounded(text: &str) -> &str {
    const MOST: usize = 64 * 1024;
    if text.len() <= MOST {
        return text;
    }
    let head = (0..=MOST).rev().find_map(|end| text.get(..end)).unwrap_or_default();
    head.rsplit_once(char::is_whitespace).map_or("…", |(words, _)| words)
}

/// Returns whether a character is invisible and changes the order or the look of others: zero-width and directional
/// marks, embeddings, overrides and isolates, line and paragraph separators, the byte order mark, and the tag
/// characters.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
        || (c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
}

/// Cuts a text at 1,000 characters. Mask it before: a secret that is cut in the middle is not recognised.
pub(crate) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_in_json_are_masked_by_name_and_by_form_however_deep() {
        let masked = super::json(json!({
            "id": 7, "api_key": "k", "list": [{"password": 123}, "Bearer abcdef0123456789", null],
            "session": {"anything": true}, "token": null, "issue_key": "ABC-1", "note": "url https://a:b@c/d",
        }));
        assert_eq!(
            masked,
            json!({
                "id": 7, "api_key": "***", "list": [{"password": "***"}, "Bearer ***", null],
                "session": "***", "token": null, "issue_key": "ABC-1", "note": "url https://***@c/d",
            })
        );
    }

    #[test]
    fn pairs_in_json_are_masked_by_the_name_in_them() {
        let masked = super::json(json!([
            ["x-api-key", "v"], ["x-api-version", "v"], ["token", "secret", "id"],
            {"name": "x-api-key", "value": "v"}, {"name": "accept", "value": "v"}, {"Name": "token", "values": ["a"]},
            ["curl", "--token", "v", "-v"], ["--id", "v", "--password", "v"], ["--token=v", "x", "--token"],
        ]));
        assert_eq!(
            masked,
            json!([
                ["x-api-key", "***"], ["x-api-version", "v"], ["token", "secret", "id"],
                {"name": "x-api-key", "value": "***"}, {"name": "accept", "value": "v"}, {"Name": "token", "values": "***"},
                ["curl", "--token", "***", "-v"], ["--id", "v", "--password", "***"], ["--token=***", "x", "--token"],
            ])
        );
    }

    #[test]
    fn a_text_is_cut_after_it_was_masked_and_between_characters() {
        let long = format!("{} password=hunter2", "é".repeat(995));
        let cut = fit(&long);
        assert!(!cut.contains("hunter2"), "{cut}");
        assert_eq!(cut.chars().count(), 1_001);
        assert!(cut.ends_with('…'));
        assert_eq!(fit("short"), "short");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_a_masked_text_stays_as_it_is(plain in ".{0,200}") {
            let once = text(&plain);
            prop_assert!(fit(&plain).chars().count() <= LONGEST + 1);
            prop_assert_eq!(text(&once), once);
        }

        #[test]
        fn a_secret_is_gone_whatever_is_around_it(
            secret in "[A-Za-z0-9]{12,40}",
            before in "[a-z :=]{0,20}",
            after in "[a-z ]{0,20}",
        ) {
            for form in [
                format!("{before} password={secret} {after}"),
                format!("{before} \"api_key\": \"{secret}\", {after}"),
                format!("{before} token: {secret}\n{after}"),
                format!("{before} https://user:{secret}@host/{after}"),
                format!("{before} Authorization: Token {secret}"),
                format!("{before} bearer {secret}9 {after}"),
                format!("{before} sk-{secret} {after}"),
                format!("{before} eyJ{secret}.{secret}.{secret} {after}"),
                format!("{before}?access_token={secret}&x=1"),
                format!("{before} set-cookie: a={secret}; b={secret}"),
            ] {
                let masked = text(&form);
                prop_assert!(!masked.contains(&secret), "{} -> {}", form, masked);
            }
        }
    }
}
