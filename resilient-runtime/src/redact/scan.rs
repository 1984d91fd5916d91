//! Forms of secrets that need more than a pattern: URLs with invalid characters in the password, PEM blocks, and values
//! in brackets.

/// The text that replaces a secret.
pub const MASK: &str = "***";

/// The maximum length of a user name or password of a URL, in bytes; longer ones are not recognised.
const LONGEST: usize = 256;

/// Masks `scheme://user:password@` if the password contains `/`, `?`, `#` or up to two spaces.
///
/// If the text begins like a port (`https://host:8080/a@b`) and the scheme is one of the web, it is not a password.
/// Other schemes belong to data stores and queues, whose addresses contain passwords far more often than an `@` in a
/// path.
pub(super) fn credentials(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        masked.push_str(head);
        rest = tail;
        if let Some(end) = scheme(head).and_then(|scheme| userinfo(scheme, tail)) {
            masked.push_str(MASK);
            rest = tail.get(end..).unwrap_or_default();
        }
    }
    masked.push_str(rest);
    masked
}

/// Returns the scheme at the end of a text that ends with `scheme://`.
fn scheme(head: &str) -> Option<&str> {
    let before = head.strip_suffix("://").filter(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric()))?;
    before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'))).next()
}

/// Returns the position of the `@` after `user:password`.
fn userinfo(scheme: &str, tail: &str) -> Option<usize> {
    const OF_THE_WEB: &[&str] = &["http", "https", "ws", "wss", "ftp"];
    let near = |text: &str| (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let user = tail.get(..near(tail))?;
    let colon =
        user.find([':', '/', '?', '#', '@', '[', '"', '\'', '<', '>']).filter(|at| user[*at..].starts_with(':'))?;
    if user[..colon].contains(char::is_whitespace) {
        return None;
    }
    let begin = colon + 1;
    let password = tail.get(begin..)?;
    let password = password.get(..near(password))?;
    let port = password.trim_start_matches(|c: char| c.is_ascii_digit());
    // Without text before the colon there is no host, and so no port.
    let may_be_port = colon > 0 && OF_THE_WEB.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let ends_as_port =
        port.is_empty() || port.starts_with(['/', '?', '#', ',', ';', ')', '"', '\'', ' ', '\n', '\r', '\t']);
    let at = password.find(['@', '"', '<', '>', '\n', '\r'])?;
    let inside = &password[..at];
    let spaces = inside.chars().filter(|c| c.is_whitespace()).count();
    let is_host = password[at..].starts_with('@')
        && password[at + 1..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '[' | '%' | '_' | '-' | '.'));
    if (may_be_port && ends_as_port && !password.starts_with(['/', '?', '#']))
        || inside.starts_with(char::is_whitespace)
        || spaces > 2
    {
        return None;
    }
    if inside.contains("://") || !is_host {
        return None;
    }
    // Further `@`s before the end of the host belong to the password too.
    let more = &password[at + 1..];
    let host =
        &more[..more.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"')).unwrap_or(more.len())];
    Some(begin + at + host.rfind('@').map_or(0, |last| last + 1))
}

/// Masks all lines of PEM blocks (`-----BEGIN PRIVATE KEY-----` and the like). A block without an end is masked to the
/// end of the text.
pub(super) fn pem(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (head, block) = rest.split_at(at);
        masked.push_str(head);
        let Some(label) = label(&block[BEGIN.len()..]) else {
            masked.push_str(BEGIN);
            rest = &block[BEGIN.len()..];
            continue;
        };
        masked.push_str(MASK);
        let body = &block[BEGIN.len() + label..];
        rest = body.find(END).map_or("", |end| {
            let end = &body[end + END.len()..];
            end.split_once("-----").map_or("", |(_, behind)| behind)
        });
    }
    masked.push_str(rest);
    masked
}

/// Returns the length of a block's label, including the dashes after it.
fn label(text: &str) -> Option<usize> {
    let words =
        text.bytes().take(64).take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ');
    let length = words.count();
    (length > 0 && text[length..].starts_with("-----")).then_some(length + 5)
}

/// Returns whether a text begins with an empty list or object.
pub(super) fn is_empty(text: &str) -> bool {
    text.strip_prefix(['{', '[', '(']).is_some_and(|rest| rest.trim_start().starts_with(['}', ']', ')']))
}

/// Returns the start and the end of the list, object or `Debug` value (`Login { .. }`, `Key(..)`) at the beginning of a
/// text. Without a closing bracket it extends to the end of the text. Returns `None` if it is empty, because then it
/// contains no secret.
///
/// `is_escaped`: whether its quotes are escaped, as in JSON within a JSON string.
pub(super) fn brackets(text: &str, is_escaped: bool) -> Option<(usize, usize)> {
    let mut inner = text;
    while let Some(rest) = inner.strip_prefix("Some(") {
        inner = rest;
    }
    let start = text.len() - inner.len();
    // The name may already be masked.
    let rest = inner.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '*'));
    let is_named = rest.len() < inner.len();
    let rest = rest.strip_prefix(' ').filter(|rest| is_named && rest.starts_with('{')).unwrap_or(rest);
    if !rest.starts_with(['{', '(']) && (is_named || !rest.starts_with('[')) {
        return None;
    }
    if is_empty(rest) {
        return None;
    }
    let begin = text.len() - rest.len();
    let (mut depth, mut quote, mut backslashes, mut before) = (0_usize, None, 0_usize, ' ');
    for (at, c) in rest.char_indices() {
        // A quote inside a string has one backslash more than the quotes around the string.
        let is_delimiter = if is_escaped { backslashes == 1 } else { backslashes % 2 == 0 };
        match (c, quote) {
            ('"', None) if is_delimiter => quote = Some('"'),
            ('"', Some('"')) if is_delimiter => quote = None,
            // Ignore apostrophes within words.
            ('\'', None) if matches!(before, '[' | '{' | '(' | ',' | ':' | '=') => quote = Some('\''),
            ('\'', Some('\'')) if backslashes == 0 => quote = None,
            ('[' | '{' | '(', None) => depth += 1,
            (']' | '}' | ')', None) => {
                depth -= 1;
                if depth == 0 {
                    return Some((start, begin + at + 1));
                }
            }
            _ => {}
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        before = if c.is_whitespace() { before } else { c };
    }
    Some((start, text.len()))
}
