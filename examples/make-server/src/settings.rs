//! The settings, from the environment, validated before the server starts.

use std::{env, error::Error, fs, io};

use reqwest::{Url, header::HeaderValue};
use resilient_sqlite::{OpenError, OpenProblem};

use crate::{http, process::USAGE};

/// Make's EU zone, the default.
const EU_ZONE: &str = "https://eu1.make.com/api/v2";

/// The settings of the client.
#[derive(Debug)]
pub struct Settings {
    pub(super) token: Token,
    pub(super) base_url: Url,
    pub(super) demo: bool,
}

impl Settings {
    /// Reads `MAKE_API_TOKEN`, or the file that `MAKE_API_TOKEN_FILE` names, and `MAKE_BASE_URL`.
    ///
    /// # Errors
    ///
    /// If the token is missing, or one of the two is invalid.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_values(secret("MAKE_API_TOKEN")?, variable("MAKE_BASE_URL"))
    }

    /// Reads the environment, except for the demo.
    pub(crate) fn unless_demo(demo: bool) -> Result<Option<Self>, SettingsError> {
        if demo { Ok(None) } else { Self::from_env().map(Some) }
    }

    /// Returns the settings of the demo, with a loopback address instead of Make's.
    ///
    /// # Errors
    ///
    /// If the address or the token is invalid.
    pub fn for_demo(base: &str, token: &str) -> Result<Self, SettingsError> {
        Ok(Self { token: Token::new(token)?, base_url: base_url(base)?, demo: true })
    }

    fn from_values(token: Option<String>, base: Option<String>) -> Result<Self, SettingsError> {
        let token = non_blank(token).ok_or(SettingsError::NoToken)?;
        let base = non_blank(base);
        Ok(Self { token: Token::new(&token)?, base_url: base_url(base.as_deref().unwrap_or(EU_ZONE))?, demo: false })
    }
}

/// Why the settings are invalid.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The token is missing.
    #[error(
        "MAKE_API_TOKEN is not set. Create a token in Make (profile, API access, with the scopes scenarios:read, scenarios:run and \
         connections:read) and put it into the environment of this server, or its path into MAKE_API_TOKEN_FILE; `--demo` needs none"
    )]
    NoToken,
    /// It is not a valid header value.
    #[error("MAKE_API_TOKEN holds characters that no token has")]
    Token,
    /// The base URL is invalid, or would send the token unencrypted.
    #[error("MAKE_BASE_URL is `{0}`, expected the `https` address of your zone's API, for example `{EU_ZONE}`")]
    Address(String),
    /// A secret is set twice.
    #[error("{0} and {0}_FILE are both set, expected one of them")]
    Twice(&'static str),
    /// The file with a secret cannot be read.
    #[error("{name}_FILE is `{path}`, which cannot be read")]
    File {
        /// The variable that the file replaces.
        name: &'static str,
        /// The path of the file.
        path: String,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// The secret of webhooks is too easy to guess, or cannot be sent in a header.
    #[error("MAKE_WEBHOOK_SECRET is no secret, expected at least 16 visible ASCII characters")]
    WebhookSecret,
}

/// A token that `{:?}` does not print: its header is marked as sensitive.
#[derive(Debug)]
pub(super) struct Token(HeaderValue);

impl Token {
    fn new(token: &str) -> Result<Self, SettingsError> {
        let mut header = HeaderValue::from_str(&format!("Token {token}")).map_err(|_| SettingsError::Token)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

fn base_url(text: &str) -> Result<Url, SettingsError> {
    http::secure_url(text).map_err(SettingsError::Address)
}

/// The value of a variable, or of the file that the variable with `_FILE` behind its name names: container engines and
/// systemd pass secrets as files, because others can read the environment of a process.
pub(crate) fn secret(name: &'static str) -> Result<Option<String>, SettingsError> {
    secret_of(name, variable(name), variable(&format!("{name}_FILE")))
}

fn secret_of(name: &'static str, value: Option<String>, path: Option<String>) -> Result<Option<String>, SettingsError> {
    match (non_blank(value), non_blank(path)) {
        (Some(_), Some(_)) => Err(SettingsError::Twice(name)),
        (value, None) => Ok(value),
        (None, Some(path)) => match fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            read => read,
        }
        .map(|text| non_blank(Some(text)))
        .map_err(|source| SettingsError::File { name, path, source }),
    }
}

/// The value of an environment variable. Invalid Unicode is replaced, not ignored, so that validation reports it.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The trimmed value, unless it is blank.
pub(crate) fn non_blank(value: Option<String>) -> Option<String> {
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Returns the exit code for a store that cannot be opened: 1 if the same start may succeed later, and that of wrong
/// settings otherwise, after which systemd does not start the server again.
pub(crate) fn exit_code_of_store(error: &(dyn Error + 'static)) -> u8 {
    let may_pass = error.downcast_ref::<OpenError>().is_some_and(|error| {
        use OpenProblem::{Busy, Full, Io, ReadOnly, Sqlite};
        matches!(error.problem(), Busy | Full | Io(_) | ReadOnly | Sqlite(_))
    });
    if may_pass { 1 } else { USAGE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(token: Option<&str>, base: Option<&str>) -> Result<Settings, SettingsError> {
        Settings::from_values(token.map(str::to_owned), base.map(str::to_owned))
    }

    #[test]
    fn the_token_must_be_there() {
        for token in [None, Some(""), Some("  \n")] {
            let error = read(token, None).unwrap_err();
            assert!(error.to_string().contains("MAKE_API_TOKEN is not set"), "{error}");
        }
        assert_eq!(read(Some(" abc\n"), None).unwrap().token.header(), "Token abc");
        assert!(matches!(read(Some("a\nb"), None), Err(SettingsError::Token)));
    }

    #[test]
    fn a_secret_is_read_from_the_variable_or_from_the_file_but_not_from_both() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, " from-a-file\n").unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let read = |value: Option<&str>, path: Option<&str>| {
            secret_of("TOKEN", value.map(str::to_owned), path.map(str::to_owned))
        };
        assert_eq!(read(None, None).unwrap(), None);
        assert_eq!(read(Some(" a "), Some("")).unwrap().as_deref(), Some("a"));
        assert_eq!(read(Some(""), Some(&path)).unwrap().as_deref(), Some("from-a-file"));
        assert!(read(Some("a"), Some(&path)).unwrap_err().to_string().contains("TOKEN_FILE are both set"));
        fs::write(&file, "\n").unwrap();
        assert!(read(None, Some(&path)).is_err(), "an empty file is no secret");
        file.close().unwrap();
        assert!(read(None, Some(&path)).unwrap_err().to_string().contains(&path));
    }

    #[test]
    fn the_zone_is_europe_unless_told() {
        assert_eq!(read(Some("t"), None).unwrap().base_url.as_str(), EU_ZONE);
        assert_eq!(read(Some("t"), Some(" ")).unwrap().base_url.as_str(), EU_ZONE);
        let us = read(Some("t"), Some("https://us1.make.com/api/v2/")).unwrap();
        assert_eq!(us.base_url.host_str(), Some("us1.make.com"));
    }

    #[test]
    fn a_token_never_travels_in_the_clear() {
        for address in ["http://localhost:80/api/v2", "http://127.0.0.1:4711", "http://[::1]:4711/api"] {
            assert!(read(Some("t"), Some(address)).is_ok(), "{address}");
        }
        let refused = [
            "eu1.make.com",
            "ftp://eu1.make.com",
            "https://eu1.make.com/?x=1",
            "http://eu1.make.com",
            "http://10.0.0.1",
        ];
        for address in refused {
            let error = read(Some("t"), Some(address)).unwrap_err();
            assert!(error.to_string().contains(address), "{error}");
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_printed() {
        let error = read(Some("t"), Some("https://ann:p@ss@eu1.make.com/api/v2")).unwrap_err().to_string();
        assert!(error.contains("`***@eu1.make.com/api/v2`") && !error.contains("ann"), "{error}");
    }

    #[test]
    fn no_token_in_debug() {
        let settings = read(Some("super-secret-token-1234"), None).unwrap();
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
