//! Recognizes the names of secrets: `password`, `api_key`, `X-Auth-Token`.

/// Words that mark a secret anywhere in a name, also at the end of a longer word: `dbpassword`, `clientsecret`,
/// `accesstoken`. A plural counts too, except for `tokens`, the unit in which language models count their input.
const ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "token",
    "secret",
    "authorization",
    "credential",
    "apikey",
    "accesskey",
    "accountkey",
    "privatekey",
    "signingkey",
    "masterkey",
    "secretkey",
    "subscriptionkey",
];

/// Words that mark a secret only as whole words: `obsession` and `pallbearer` end with two of them.
const WORDS: &[&str] = &["cookie", "bearer", "session"];

/// Words with such an ending that are not secrets.
const ORDINARY: &[&str] = &["oldpwd", "betoken", "pagetoken", "nextpagetoken", "nexttoken", "continuationtoken"];

/// Pairs of words that mark a secret.
const PAIRS: &[(&str, &str)] = &[
    ("api", "key"),
    ("private", "key"),
    ("access", "key"),
    ("account", "key"),
    ("signing", "key"),
    ("encryption", "key"),
    ("master", "key"),
    ("subscription", "key"),
    ("function", "key"),
    ("x", "auth"),
    ("proxy", "auth"),
    ("basic", "auth"),
];

/// Names that mark a secret only as a whole: `key`, but not `issue_key`.
const WHOLE: &[&str] = &["key", "auth"];

/// Words that mark a secret only as the last word: `DB_PASS` and `X-Amz-Signature`, but not `pass_rate`.
const LAST: &[&str] = &["pass", "sig", "signature"];

/// Last words of names that are about a secret without containing one: `token_count`, `password_length`.
const MEASURES: &[&str] = &["count", "counts", "limit", "budget", "usage", "length", "len", "size", "type", "ttl"];

/// Words before `token` where a token is a position in a list: `next_page_token`.
const PAGING: &[&str] = &["page", "paging", "pagination", "next", "continuation"];

/// Returns whether a value with this name has to be masked.
///
/// The name is split into words, however it is spelled: `accessToken`, `ACCESS_TOKEN`, `x-access-token` and
/// `accesstoken` are equivalent. `monkey`, `author` and `issue_key` are not secrets, nor are measures (`token_count`)
/// and positions in a list (`next_page_token`).
///
/// ```
/// assert!(resilient_policy::is_secret_name("api_key"));
/// assert!(!resilient_policy::is_secret_name("issue_key"));
/// assert!(!resilient_policy::is_secret_name("token_count"));
/// assert!(!resilient_policy::is_secret_name("next_page_token"));
/// ```
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    // `password2`, `X-Hub-Signature-256`
    let numbered = |word: &String| word.bytes().all(|byte| byte.is_ascii_digit());
    let last = words.iter().rfind(|word| !numbered(word)).map_or("", |word| unnumbered(word));
    if words.len() > 1 && MEASURES.contains(&last) {
        return false;
    }
    if let [only] = words.as_slice()
        && WHOLE.contains(&only.as_str())
    {
        return true;
    }
    let has_word = words.iter().enumerate().any(|(index, word)| {
        let before = index.checked_sub(1).and_then(|before| words.get(before));
        let is_position = word == "token" && before.is_some_and(|before| PAGING.contains(&before.as_str()));
        !is_position && is_secret_word(unnumbered(word))
    });
    let has_pair = words.windows(2).any(|pair| {
        let [first, second] = pair else { return false };
        PAIRS.iter().any(|(a, b)| (first == a || singular(first) == *a) && singular(second) == *b)
    });
    has_word || has_pair || LAST.contains(&last)
}

fn is_secret_word(word: &str) -> bool {
    let singular = Some(singular(word)).filter(|singular| !singular.ends_with("token")).unwrap_or(word);
    if ORDINARY.contains(&word) || (word != singular && ORDINARY.contains(&singular)) {
        return false;
    }
    WORDS.contains(&word) || WORDS.contains(&singular) || ENDINGS.iter().any(|ending| singular.ends_with(ending))
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').unwrap_or(word)
}

fn unnumbered(word: &str) -> &str {
    word.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// Returns the words of a name in lower case, split at characters that are not letters or digits, and before capitals.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut previous: Option<char> = None;
    let mut letters = name.chars().peekable();
    while let Some(c) = letters.next() {
        // `apiKey`: a capital after a lower-case letter. `HTTPToken`: the last capital before a lower-case letter.
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
            "AccountKey",
            "SharedAccessKey",
            "access_key",
            "AccessKeyId",
            "sig",
            "X-Amz-Signature",
            "X-Hub-Signature-256",
            "pwd",
            "MYSQL_PWD",
            "PGPASSWORD",
            "DB_PASS",
            "passphrase",
            "sshpassphrase",
            "dbpassword",
            "password2",
            "clientsecret",
            "accesstoken",
            "secretkey",
            "X-Auth",
            "Ocp-Apim-Subscription-Key",
            "x-functions-key",
            "upstreamAuthorization",
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
            "primary_key",
            "account_id",
            "accessibility",
            "signal",
            "design",
            "signature_help",
            "signed",
            "OLDPWD",
            "pass_rate",
            "compass",
            "bypass",
            "passage",
            "obsession",
            "author_key_name",
            "x-author",
            "needs_auth",
            "subscription",
            "functions",
            "max_tokens",
            "inputtokens",
            "token_count",
            "totalTokenCount",
            "token_limit",
            "token_type",
            "password_length",
            "next_page_token",
            "nextPageToken",
            "pagetoken",
            "continuation-token",
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
