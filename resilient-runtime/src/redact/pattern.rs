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

/// A whole header, whose value may have several words: up to its quote, or to the end of the line.
static HEADER: Pattern = Pattern::new(|| {
    let value = r#"("[^"\r\n]*"?|'[^'\r\n]*'?|[^\r\n]+)"#;
    Regex::new(&format!(r#"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\\?["']?\s*[:=]\s*){value}"#)).ok()
});

/// The beginning of `name = value`, `"name": "value"`, `name=value&`, in JSON that was escaped too.
static NAME: Pattern = Pattern::new(|| Regex::new(r#"([A-Za-z][A-Za-z0-9_.-]*)\\?["']?\s*[:=]\s*"#).ok());

/// What stands behind it: quoted in one way or another, or up to whatever cannot be part of it; also
/// within the `Some(..)` of a `Debug` text.
static VALUE: Pattern = Pattern::new(|| {
    let quoted = r#"\\"[^"]*"?|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?"#;
    Regex::new(&format!(r#"^((?:Some\(|[\[({{])*)({quoted}|[^\s,;&"')}}\]]+)"#)).ok()
});

/// `Bearer …`, `Basic …`
static SCHEME: Pattern = Pattern::new(|| Regex::new(r"(?i)\b(bearer|basic)\s+([A-Za-z0-9._~+/=-]{8,})").ok());

/// A JSON web token.
static JWT: Pattern =
    Pattern::new(|| Regex::new(r"(?:\b|_)eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?").ok());

/// `sk-…`
static SK: Pattern = Pattern::new(|| Regex::new(r"(?:\b|_)sk-[A-Za-z0-9_-]{8,}").ok());

pub(super) fn mask(text: &str) -> String {
    let text = CREDENTIALS.replace(text, |found| format!("{}{MASK}@", part(found, 1)));
    let text = HEADER.replace(&text, |found| {
        let quote = quote(part(found, 3));
        format!("{}{}{quote}{MASK}{quote}", part(found, 1), part(found, 2))
    });
    let text = JWT.replace(&text, |_| MASK.to_owned());
    let text = SK.replace(&text, |_| format!("sk-{MASK}"));
    let text = SCHEME.replace(&text, |found| {
        if is_word(part(found, 2)) { part(found, 0).to_owned() } else { format!("{} {MASK}", part(found, 1)) }
    });
    pairs(&text)
}

/// Masks what stands behind the name of a secret. A value that is public is not passed over: it may
/// hold a name of its own, as in `error: token: abc`.
fn pairs(text: &str) -> String {
    let (Some(name), Some(value)) = (&*NAME.0, &*VALUE.0) else { return text.to_owned() };
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(found) = name.captures_at(text, done) {
        let end = found.get(0).map_or(text.len(), |whole| whole.end());
        masked.push_str(text.get(done..end).unwrap_or_default());
        done = end;
        if !is_secret_name(part(&found, 1)) {
            continue;
        }
        let Some(found) = value.captures(text.get(end..).unwrap_or_default()) else { continue };
        let quote = quote(part(&found, 2));
        masked.push_str(part(&found, 1));
        masked.push_str(quote);
        masked.push_str(MASK);
        masked.push_str(quote);
        done = end + part(&found, 0).len();
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    masked
}

/// The quote that a value stands in.
fn quote(value: &str) -> &str {
    let length = match value.as_bytes() {
        [b'\\', b'"', ..] => 2,
        [b'"' | b'\'', ..] => 1,
        _ => 0,
    };
    value.get(..length).unwrap_or_default()
}

/// Whether this is an ordinary word, as in "bearer authentication failed" or "Basic Understanding".
fn is_word(text: &str) -> bool {
    let rest = text.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or(text);
    text.len() < 16 && rest.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '/' | '-'))
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
            "Basic Understanding of options",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn a_text_that_is_made_to_be_slow_or_deep_is_neither() {
        for evil in ["a:", "a=\"", "key:", "token=\"", "a:'", "cookie:", "eyJa.", "://@", "Some("] {
            let text = evil.repeat(20_000);
            let started = std::time::Instant::now();
            let small = std::thread::Builder::new().stack_size(128 * 1024);
            let masked = small.spawn(move || mask(&text)).expect("a thread").join();
            assert!(masked.is_ok(), "{evil}");
            assert!(started.elapsed().as_secs() < 10, "{evil}: {:?}", started.elapsed());
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
            ("error: token: abcdef123", "error: token: ***"),
            ("config error: api_key = abc", "config error: api_key = ***"),
            ("note: \"password\": \"hunter2\"", "note: \"password\": \"***\""),
            ("token: Some(\"abc\")", "token: Some(\"***\")"),
            (r#"{"password":"a\"bcdef"}"#, r#"{"password":"***"}"#),
            (r#"{\"password\":\"hunter2\"}"#, r#"{\"password\":\"***\"}"#),
            ("Cookie: a=\"s3cr3tval\"; b=c", "Cookie: ***"),
            ("Authorization: Digest username=\"ann\", response=\"s3cr3t\"", "Authorization: ***"),
            ("{\"authorization\":\"Bearer x\",\"id\":7}", "{\"authorization\":\"***\",\"id\":7}"),
            ("my_eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "my***"),
            ("cookie: a\nid: 7", "cookie: ***\nid: 7"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }
}
