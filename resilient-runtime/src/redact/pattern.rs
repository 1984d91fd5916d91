//! Regular expressions for the forms of secrets in a text.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};
use resilient_policy::is_secret_name;

use super::scan::{self, MASK};

/// A regular expression of this file. If it did not compile, it would match nothing.
struct Pattern(LazyLock<Option<Regex>>);

impl Pattern {
    const fn new(make: fn() -> Option<Regex>) -> Self {
        Self(LazyLock::new(make))
    }

    fn replace_if<'t>(&self, is_likely: bool, text: &'t str, by: impl Fn(&Captures<'_>) -> String) -> Cow<'t, str> {
        if is_likely { self.replace(text, by) } else { Cow::Borrowed(text) }
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

/// A whole header, whose value may have several words, up to its closing quote or the end of the line. Names such as
/// `upstreamAuthorization` and `user_credentials` match too; the value of credentials also ends at a comma.
static HEADER: Pattern = Pattern::new(|| {
    let quoted = r#""[^"\r\n]*"?|'[^'\r\n]*'?"#;
    let header = format!(r#"([a-z0-9_.-]*(?:authorization|cookie))(\\?["']?\s*[:=]\s*)({quoted}|[^\r\n]+)"#);
    let credentials = r#"([a-z0-9_.-]*credentials?)(\\?["']?\s*[:=]\s*)([A-Za-z0-9*][^\r\n,;&"'(){}\[\]]*)"#;
    Regex::new(&format!("(?i)(?:{header}|{credentials})")).ok()
});

/// A pair such as `("x-api-key", "value")` or `["x-api-key", "value"]`, up to its value.
static TUPLE: Pattern = Pattern::new(|| Regex::new(r#"[(\[]\s*\\?["']([A-Za-z][A-Za-z0-9_.-]*)\\?["']\s*,\s*"#).ok());

/// An option and its value among the arguments of a command, `"--token", "value"`, up to the value.
static OPTION: Pattern = Pattern::new(|| Regex::new(r#"["']--?([A-Za-z][A-Za-z0-9_.-]*)\\?["']\s*,\s*"#).ok());

/// A pair such as `{"name": "x-api-key", "value": "value"}` or `Header { name: "x-api-key", value: "value" }`, up
/// to its value.
static MEMBERS: Pattern = Pattern::new(|| {
    let name = r#"(?:name|key|header|field|param)\\?["']?\s*[:=]\s*\\?["']([A-Za-z][A-Za-z0-9_.-]*)\\?["']"#;
    Regex::new(&format!(r#"(?i)\b{name}\s*,\s*\\?["']?values?\\?["']?\s*[:=]\s*"#)).ok()
});

/// The same pair with the value first.
static VALUE_FIRST: Pattern = Pattern::new(|| {
    let name = r#"(?:name|key|header|field|param)\\?["']?\s*[:=]\s*\\?["']([A-Za-z][A-Za-z0-9_.-]*)"#;
    let value = r#"values?\\?["']?\s*[:=]\s*"#;
    Regex::new(&format!(r#"(?i)\b({value})(\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*')(\s*,\s*\\?["']?{name})"#)).ok()
});

/// Keys with a known prefix: `sk_live_…`, `ghp_…`, `AKIA…`.
static VENDOR: Pattern = Pattern::new(|| {
    let forms = [
        r"([sr]k_(?:live|test)_)[A-Za-z0-9]{8,}",
        r"(gh[pousr]_)[A-Za-z0-9]{16,}",
        r"(github_pat_)[A-Za-z0-9_]{16,}",
        r"(gl(?:pat|dt|rt|ptt|cbt|ft)-)[A-Za-z0-9_-]{12,}",
        r"(xox[a-z]-)[A-Za-z0-9-]{8,}",
        r"(AIza)[A-Za-z0-9_-]{24,}",
        r"((?:AKIA|ASIA))[A-Z0-9]{12,}",
        r"(npm_)[A-Za-z0-9]{30,}",
        r"(hf_)[A-Za-z0-9]{30,}",
    ];
    Regex::new(&format!(r"(?:\b|_)(?:{})", forms.join("|"))).ok()
});

/// The beginning of `name = value`, `"name": "value"` or `name=value&`, also in escaped JSON.
static NAME: Pattern = Pattern::new(|| Regex::new(r#"([A-Za-z][A-Za-z0-9_.-]*)\\?["']?\s*[:=]\s*"#).ok());

/// The value after a name: quoted, or up to a character that cannot be part of it; also within the `Some(..)` of a
/// `Debug` text.
static VALUE: Pattern = Pattern::new(|| {
    let quoted = r#"\\"[^"]*"?|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?"#;
    let scheme = r"(?:(?i:bearer|basic|token|apikey|digest|negotiate)[ \t]+)?";
    Regex::new(&format!(r#"^((?:Some\(|[\[({{])*)({quoted}|{scheme}[^\s,;&"')}}\]]+)"#)).ok()
});

/// `Bearer …`, `Basic …`
static SCHEME: Pattern = Pattern::new(|| Regex::new(r"(?i)\b(bearer|basic)\s+([A-Za-z0-9._~+/=-]{8,})").ok());

/// A JSON web token.
static JWT: Pattern =
    Pattern::new(|| Regex::new(r"(?:\b|_)eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?").ok());

/// `sk-…`
static SK: Pattern = Pattern::new(|| Regex::new(r"(?:\b|_)sk-[A-Za-z0-9_-]{8,}").ok());

/// The prefixes of the forms in [`VENDOR`], in lower case.
const VENDORS: &[&str] = &[
    "k_live_",
    "k_test_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat",
    "gldt",
    "glrt",
    "glptt",
    "glcbt",
    "glft",
    "xox",
    "aiza",
    "akia",
    "asia",
    "npm_",
    "hf_",
];

pub(super) fn mask(text: &str) -> String {
    // A masked text may form a new match together with its surroundings, so mask again, but only so often that the work
    // stays bounded.
    const MOST: usize = 4;
    let mut masked = once(text);
    if masked == text {
        return masked;
    }
    for _ in 1..MOST {
        let again = once(&masked);
        if again == masked {
            break;
        }
        masked = again;
    }
    masked
}

fn once(text: &str) -> String {
    // Most texts contain none of these words, and searching for them is cheaper than matching a pattern.
    let small = text.to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| small.contains(word));
    let has_address = holds(&["://"]);
    let mut text = Cow::Borrowed(text);
    if holds(&["-----begin"]) {
        text = scan::pem(&text).into();
    }
    if has_address {
        text = CREDENTIALS.replace(&text, |found| format!("{}{MASK}@", part(found, 1))).into_owned().into();
        text = scan::credentials(&text).into();
    }
    let text = HEADER.replace_if(holds(&["authorization", "cookie", "credential"]), &text, |found| {
        let (name, between, value) = if found.get(1).is_some() { (1, 2, 3) } else { (4, 5, 6) };
        let quote = quote(part(found, value));
        format!("{}{}{quote}{MASK}{quote}", part(found, name), part(found, between))
    });
    let may_hold_pairs = holds(&["(", "["]) && holds(&[","]) && holds(&["\"", "'"]);
    let text = values_if(may_hold_pairs, &text, &TUPLE);
    let text = values_if(holds(&["\"-", "'-"]), &text, &OPTION);
    let text = values_if(holds(&["value"]), &text, &MEMBERS);
    let text = VALUE_FIRST.replace_if(holds(&["value"]), &text, |found| {
        if !is_secret_name(part(found, 4)) {
            return part(found, 0).to_owned();
        }
        let quote = quote(part(found, 2));
        format!("{}{quote}{MASK}{quote}{}", part(found, 1), part(found, 3))
    });
    let text = VENDOR.replace_if(holds(VENDORS), &text, |found| {
        let known = (1..found.len()).map(|index| part(found, index)).find(|known| !known.is_empty());
        let joint = if part(found, 0).starts_with('_') { "_" } else { "" };
        format!("{joint}{}{MASK}", known.unwrap_or_default())
    });
    let text = JWT.replace_if(holds(&["eyj"]), &text, |_| MASK.to_owned());
    let text = SK.replace_if(holds(&["sk-"]), &text, |_| format!("sk-{MASK}"));
    let text = SCHEME.replace_if(holds(&["bearer", "basic"]), &text, |found| {
        if is_word(part(found, 2)) { part(found, 0).to_owned() } else { format!("{} {MASK}", part(found, 1)) }
    });
    values_if(holds(&[":", "="]), &text, &NAME).into_owned()
}

fn values_if<'t>(is_likely: bool, text: &'t str, name: &Pattern) -> Cow<'t, str> {
    if is_likely { values(text, name).into() } else { Cow::Borrowed(text) }
}

/// Masks the value after each secret's name, where `name` matches up to the value. Other values are searched too,
/// because they may contain another name, as in `error: token: abc`.
fn values(text: &str, name: &Pattern) -> String {
    let (Some(name), Some(value)) = (&*name.0, &*VALUE.0) else { return text.to_owned() };
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(found) = name.captures_at(text, done) {
        let end = found.get(0).map_or(text.len(), |whole| whole.end());
        masked.push_str(text.get(done..end).unwrap_or_default());
        done = end;
        if !is_secret_name(part(&found, 1)) {
            continue;
        }
        let rest = text.get(end..).unwrap_or_default();
        let quote_of_name = quote(found.get(1).and_then(|name| text.get(name.end()..)).unwrap_or_default());
        if let Some((begin, behind)) = scan::brackets(rest, quote_of_name.len() == 2) {
            // Replace JSON by JSON.
            masked.push_str(&[rest.get(..begin).unwrap_or_default(), quote_of_name, MASK, quote_of_name].concat());
            done = end + behind;
            continue;
        }
        let Some(found) = value.captures(rest).filter(|_| !scan::is_empty(rest)) else { continue };
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

/// Returns the opening quote of a value.
fn quote(value: &str) -> &str {
    let length = match value.as_bytes() {
        [b'\\', b'"', ..] => 2,
        [b'"' | b'\'', ..] => 1,
        _ => 0,
    };
    value.get(..length).unwrap_or_default()
}

/// Returns whether a text is an ordinary word, as in "bearer authentication failed" or "Basic Understanding".
fn is_word(text: &str) -> bool {
    let rest = text.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or(text);
    text.len() < 16 && rest.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '/' | '-'))
}

fn part<'t>(found: &Captures<'t>, index: usize) -> &'t str {
    found.get(index).map_or("", |part| part.as_str())
}

#[cfg(test)]
mod tests;
