//! The site, its account and whether changes are allowed, from the environment, validated before the server starts.

use std::{env, io, path::PathBuf};

use super::token::Credential;
use crate::http;

/// The settings of the client.
#[derive(Debug)]
pub(super) struct Settings {
    /// The site's address, without a trailing slash.
    pub(super) base: String,
    pub(super) email: String,
    pub(super) credential: Credential,
    pub(super) read_only: bool,
}

/// Why the settings are invalid.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("{name} is not set, expected {expected}; `--demo` needs none")]
    Missing { name: &'static str, expected: &'static str },
    #[error(
        "ATLASSIAN_BASE_URL is `{0}`, expected the `https` address of your site, for example `https://example.atlassian.net`"
    )]
    Address(String),
    #[error("ATLASSIAN_TOKEN_FILE is `{}`, which cannot be read", .path.display())]
    TokenFile { path: PathBuf, source: io::Error },
    #[error("ATLASSIAN_TOKEN and ATLASSIAN_TOKEN_FILE are both set, expected one of them")]
    TwoTokens,
    #[error("ATLASSIAN_READ_ONLY is `{0}`, expected `true` or `false`")]
    ReadOnly(String),
}

impl Settings {
    pub(super) fn from_env() -> Result<Self, SettingsError> {
        Self::read(variable)
    }

    pub(super) fn for_demo(origin: &str) -> Result<Self, SettingsError> {
        let value = |name: &str| match name {
            "ATLASSIAN_BASE_URL" => Some(origin),
            "ATLASSIAN_EMAIL" => Some(super::demo::EMAIL),
            "ATLASSIAN_TOKEN" => Some(super::demo::TOKEN),
            _ => None,
        };
        Self::read(|name| value(name).map(str::to_owned))
    }

    fn read(value: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let required = |name, expected| non_blank(value(name)).ok_or(SettingsError::Missing { name, expected });
        let base = required("ATLASSIAN_BASE_URL", "the address of your site, such as https://example.atlassian.net")?;
        let url = http::secure_url(&base).map_err(SettingsError::Address)?;
        Ok(Self {
            base: url.as_str().trim_end_matches('/').to_owned(),
            email: required("ATLASSIAN_EMAIL", "the account that this server works as")?,
            credential: match (non_blank(value("ATLASSIAN_TOKEN_FILE")), non_blank(value("ATLASSIAN_TOKEN"))) {
                (Some(_), Some(_)) => return Err(SettingsError::TwoTokens),
                (None, Some(token)) => Credential::fixed(token),
                (Some(file), None) => {
                    let path = PathBuf::from(file);
                    Credential::in_file(path.clone()).map_err(|source| SettingsError::TokenFile { path, source })?
                }
                (None, None) => {
                    let expected = "an API token of that account, or ATLASSIAN_TOKEN_FILE";
                    return Err(SettingsError::Missing { name: "ATLASSIAN_TOKEN", expected });
                }
            },
            read_only: match non_blank(value("ATLASSIAN_READ_ONLY")).as_deref() {
                None | Some("false") => false,
                Some("true") => true,
                Some(other) => return Err(SettingsError::ReadOnly(other.to_owned())),
            },
        })
    }
}

/// The value of an environment variable. Invalid Unicode is replaced, not ignored, so that validation reports it.
fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The trimmed value, unless it is blank.
fn non_blank(value: Option<String>) -> Option<String> {
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: (&str, &str)) -> Result<Settings, SettingsError> {
        Settings::read(|name| {
            let usual = match name {
                "ATLASSIAN_BASE_URL" => "https://example.atlassian.net/",
                "ATLASSIAN_EMAIL" => "ann@example.com",
                "ATLASSIAN_TOKEN" => "super-secret",
                _ => "",
            };
            Some(if name == change.0 { change.1 } else { usual }.to_owned())
        })
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in ["ATLASSIAN_BASE_URL", "ATLASSIAN_EMAIL", "ATLASSIAN_TOKEN"] {
            let error = read((name, " ")).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} is not set")), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_quoted() {
        for (name, value) in [("ATLASSIAN_BASE_URL", "http://example.atlassian.net"), ("ATLASSIAN_READ_ONLY", "yes")] {
            let error = read((name, value)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} is `{value}`")), "{error}");
        }
        let error = read(("ATLASSIAN_TOKEN_FILE", "/no/such/file")).unwrap_err().to_string();
        assert!(error.starts_with("ATLASSIAN_TOKEN and ATLASSIAN_TOKEN_FILE are both set"), "{error}");
        let no_file = |name: &str| match name {
            "ATLASSIAN_TOKEN" => None,
            "ATLASSIAN_BASE_URL" => Some("https://example.atlassian.net".to_owned()),
            "ATLASSIAN_EMAIL" => Some("ann@example.com".to_owned()),
            _ => Some("/no/such/file".to_owned()),
        };
        let error = Settings::read(no_file).unwrap_err().to_string();
        assert_eq!(error, "ATLASSIAN_TOKEN_FILE is `/no/such/file`, which cannot be read");
    }

    #[test]
    fn a_whole_environment_is_read_and_its_token_never_printed() {
        let settings = read(("ATLASSIAN_READ_ONLY", "true")).unwrap();
        assert_eq!((settings.base.as_str(), settings.read_only), ("https://example.atlassian.net", true));
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
