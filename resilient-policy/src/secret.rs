//! Names that stand before secrets: `password`, `api_key`, `X-Auth-Token`.

/// The words that make a name one of a secret, in whatever place they stand. A plural is one too,
/// but for `tokens`, of which language models count their input in.
const WORDS: &[&str] =
    &["password", "passwd", "token", "secret", "authorization", "cookie", "credential", "bearer", "session", "apikey"];

/// Pairs of words that do so together.
const PAIRS: &[(&str, &str)] = &[("api", "key"), ("private", "key")];

/// Names that are a secret's only as a whole: `key`, but not `issue_key`.
const WHOLE: &[&str] = &["key", "auth"];

/// Whether what stands under this name is to be kept secret.
///
/// A name is taken word by word, however it is written: `accessToken`, `ACCESS_TOKEN` and
/// `x-access-token` are alike. `monkey`, `author` and `issue_key` are no secrets.
///
/// ```
/// assert!(resilient_policy::is_secret_name("api_key"));
/// assert!(!resilient_policy::is_secret_name("issue_key"));
/// ```
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    if let [only] = words.as_slice()
        && WHOLE.contains(&only.as_str())
    {
        return true;
    }
    let one = words.iter().any(|word| {
        let singular = word.strip_suffix('s').filter(|singular| *singular != "token").unwrap_or(word);
        WORDS.contains(&word.as_str()) || WORDS.contains(&singular)
    });
    let two = words.windows(2).any(|pair| {
        let [first, second] = pair else { return false };
        PAIRS.iter().any(|(a, b)| first == a && second.strip_suffix('s').unwrap_or(second) == *b)
    });
    one || two
}

/// The words of a name in lower case, cut at whatever is no letter or digit and before a capital.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut previous: Option<char> = None;
    let mut letters = name.chars().peekable();
    while let Some(c) = letters.next() {
        // `apiKey`: a capital after a small letter. `HTTPToken`: the last capital before a small one.
        let starts_word = c.is_uppercase()
            && previous.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && letters.peek().is_some_and(|next| next.is_lowercase()))
            });
        if (!c.is_alphanumeric() || starts_word) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        previous = Some(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_word_by_word() {
        for name in [
            "password",
            "db_password",
            "passwd",
            "token",
            "MAKE_API_TOKEN",
            "accessToken",
            "refresh-token",
            "X-Auth-Token",
            "HTTPToken",
            "client_secret",
            "secrets",
            "Authorization",
            "api_key",
            "apiKey",
            "APIKey",
            "req.api_key",
            "apikey",
            "apiKeys",
            "private_keys",
            "private_key",
            "Set-Cookie",
            "credential",
            "credentials",
            "bearer",
            "session",
            "sessionId",
            "key",
            "auth",
            "Key",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_it_are_left_alone() {
        for name in [
            "monkey",
            "author",
            "issue_key",
            "key_id",
            "authority",
            "tokenizer",
            "max_tokens",
            "passwordless",
            "team_id",
            "keyboard",
            "secretary",
            "",
            "_",
            "primary key",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_makes_it_panic(name in ".*") {
            let _ = is_secret_name(&name);
        }
    }
}
