//! The forms of secrets that need more than a pattern: URLs whose password breaks the rules for URLs,
//! and PEM blocks.

use super::MASK;

/// The longest user name or password of a URL that is looked for, in bytes.
const LONGEST: usize = 256;

/// Masks `scheme://user:password@` where the password holds `/`, `?`, `#` or up to two spaces.
///
/// What begins with a port (`https://host:8080/a@b`) has no password.
pub(super) fn credentials(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        masked.push_str(head);
        rest = tail;
        let has_scheme =
            head.strip_suffix("://").is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric()));
        if let Some(end) = has_scheme.then(|| userinfo(tail)).flatten() {
            masked.push_str(MASK);
            rest = tail.get(end..).unwrap_or_default();
        }
    }
    masked.push_str(rest);
    masked
}

/// Where the `@` behind `user:password` stands.
fn userinfo(tail: &str) -> Option<usize> {
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
    let is_port = port.is_empty() || port.starts_with(['/', '?', '#', ',', ';', ')', '"', '\'', ' ', '\n', '\r', '\t']);
    let at = password.find(['@', '"', '<', '>', '\n', '\r'])?;
    let inside = &password[..at];
    let spaces = inside.chars().filter(|c| c.is_whitespace()).count();
    let is_host = password[at..].starts_with('@')
        && password[at + 1..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '[' | '%' | '_' | '-' | '.'));
    if (is_port && !password.starts_with(['/', '?', '#'])) || inside.starts_with(char::is_whitespace) || spaces > 2 {
        return None;
    }
    if inside.contains("://") || !is_host {
        return None;
    }
    // More `@`s before the host's end belong to the password too.
    let more = &password[at + 1..];
    let host =
        &more[..more.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"')).unwrap_or(more.len())];
    Some(begin + at + host.rfind('@').map_or(0, |last| last + 1))
}

/// Masks PEM blocks (`-----BEGIN PRIVATE KEY-----` and the like), all of their lines. A block that
/// has no end reaches to the end of the text.
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

/// How long the label of a block is, with the dashes behind it.
fn label(text: &str) -> Option<usize> {
    let words =
        text.bytes().take(64).take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ');
    let length = words.count();
    (length > 0 && text[length..].starts_with("-----")).then_some(length + 5)
}
