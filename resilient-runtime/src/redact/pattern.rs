//! The forms that secrets have in a text.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};
use resilient_policy::is_secret_name;

use super::MASK;

/// A pattern that is part of this file. One that could not be read would match nothing.
struct Pattern(LazyLock<Option<Regex>>);

impl Pattern {
    const fn new(make: fn() -> Option<Regex>) -> Self {
        Self(LazyLock::new(make))
    }

    fn replace<'t>(&self, text: &'t str, by: impl Fn(&Captures<'_>) -> String) -> Cow<'t, str> {
        match &*self.0 {
            Some(regex) => regex.replace_all(text, by),
            None => Cow::Borrowed(text),
        }
    }
}

/// `scheme://user:password@`
static CREDENTIALS: Pattern = Pattern::new(|| Regex::new(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#]*@").ok());

/// A whole header, whose value may have several words.
static HEADER: Pattern = Pattern::new(|| {
    Regex::new(r#"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(["']?\s*[:=]\s*["']?)([^\r\n"']+)"#).ok()
});

/// `name = value`, `"name": "value"`, `name=value&`.
static PAIR: Pattern = Pattern::new(|| {
    Regex::new(r#"([A-Za-z][A-Za-z0-9_.-]*)(["']?\s*[:=]\s*)("[^"]*"?|'[^']*'?|[^\s,;&"')}\]]+)"#).ok()
});

/// `Bearer …`, `Basic …`
static SCHEME: Pattern = Pattern::new(|| Regex::new(r"(?i)\b(bearer|basic)\s+([A-Za-z0-9._~+/=-]{8,})").ok());

/// A JSON web token.
static JWT: Pattern =
    Pattern::new(|| Regex::new(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?").ok());

/// `sk-…`
static SK: Pattern = Pattern::new(|| Regex::new(r"\bsk-[A-Za-z0-9_-]{8,}").ok());

pub(super) fn mask(text: &str) -> String {
    let text = CREDENTIALS.replace(text, |found| format!("{}{MASK}@", part(found, 1)));
    let text = HEADER.replace(&text, |found| format!("{}{}{MASK}", part(found, 1), part(found, 2)));
    let text = JWT.replace(&text, |_| MASK.to_owned());
    let text = SK.replace(&text, |_| format!("sk-{MASK}"));
    let text = SCHEME.replace(&text, |found| {
        if is_word(part(found, 2)) { part(found, 0).to_owned() } else { format!("{} {MASK}", part(found, 1)) }
    });
    PAIR.replace(&text, pair).into_owned()
}

fn pair(found: &Captures<'_>) -> String {
    let (name, between, value) = (part(found, 1), part(found, 2), part(found, 3));
    if !is_secret_name(name) {
        // The value may hold a pair of its own: `url=https://host/?token=abc`.
        let inner = PAIR.replace(value, pair);
        return format!("{name}{between}{inner}");
    }
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    quote.map_or_else(|| format!("{name}{between}{MASK}"), |quote| format!("{name}{between}{quote}{MASK}{quote}"))
}

/// Whether this is an ordinary word, as in "bearer authentication failed".
fn is_word(text: &str) -> bool {
    text.len() < 20 && text.trim_end_matches('.').chars().all(|c| c.is_ascii_lowercase())
}

fn part<'t>(found: &Captures<'t>, index: usize) -> &'t str {
    found.get(index).map_or("", |part| part.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in [
            "no scenario 7",
            "bearer authentication failed",
            "the author's monkey: 7 bananas, issue_key=ABC-1",
            "at 10:30, see https://example.org/a?b=c",
            "cannot reach Make: error sending request",
            "max_tokens: 100",
            "mail ann@example.org",
            "a task-like sk-short",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn secrets_are_masked_in_their_place() {
        for (text, masked) in [
            ("index out of range while password=hunter2-x", "index out of range while password=***"),
            ("{\"token\":\"abc\",\"id\":7}", "{\"token\":\"***\",\"id\":7}"),
            ("password: 'a b c' then", "password: '***' then"),
            ("Cookie: a=b; c=d", "Cookie: ***"),
            ("key = 12345678", "key = ***"),
            ("url=https://host/?token=abc", "url=https://host/?token=***"),
            ("sk-abcdefgh12345678", "sk-***"),
            ("basic dXNlcjpwYXNzd29yZA==", "basic ***"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }
}
