//! Converts names of variants to the case of codes and of kinds.

/// Converts a name to upper case: `NoSuchScenario` to `NO_SUCH_SCENARIO`, `HTTPError` to `HTTP_ERROR`, `Http2Error` to
/// `HTTP2_ERROR`.
#[must_use]
pub fn screaming_snake(name: &str) -> String {
    let chars: Vec<char> = name.trim_matches('_').chars().collect();
    let mut code = String::with_capacity(name.len() + 4);
    let mut before: Option<char> = None;
    for (at, c) in chars.iter().copied().enumerate() {
        let after_word = before.is_some_and(|before| before.is_lowercase() || before.is_numeric());
        let ends_acronym =
            before.is_some_and(char::is_uppercase) && chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (after_word || ends_acronym) {
            code.push('_');
        }
        code.extend(c.to_uppercase());
        before = Some(c);
    }
    code
}

/// Converts a name to lower case: `NotFound` to `not_found`.
#[must_use]
pub fn snake(word: &str) -> String {
    screaming_snake(word).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_screaming_snake_at_the_borders_of_words() {
        for (name, code) in [
            ("NoSuchScenario", "NO_SUCH_SCENARIO"),
            ("HTTPError", "HTTP_ERROR"),
            ("Http2Error", "HTTP2_ERROR"),
            ("V1", "V1"),
            ("already_snake", "ALREADY_SNAKE"),
            ("IO", "IO"),
            ("_Hidden", "HIDDEN"),
            ("ALREADY_SCREAMING", "ALREADY_SCREAMING"),
        ] {
            assert_eq!(screaming_snake(name), code);
        }
    }
}
