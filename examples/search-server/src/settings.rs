//! The settings of the two engines, from the environment, validated before the server starts.

use std::env;

use reqwest::{Url, header::HeaderValue};

use super::demo::DEMO_KEY;
use crate::http::secure_url;

/// The address of Tavily.
const TAVILY: &str = "https://api.tavily.com";

/// The settings of both clients.
#[derive(Debug)]
pub struct Settings {
    /// The first engine's `Authorization`, marked as sensitive, so that `{:?}` does not print it.
    pub(super) authorization: HeaderValue,
    pub(super) tavily: Url,
    pub(super) searxng: Url,
}

impl Settings {
    /// Reads `TAVILY_API_KEY`, `TAVILY_BASE_URL` and `SEARXNG_BASE_URL`.
    ///
    /// # Errors
    ///
    /// If one of them is invalid, or one without a default is missing.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_values(variable)
    }

    /// Returns the settings of the demo: both engines at a loopback address.
    ///
    /// # Errors
    ///
    /// If the address is invalid.
    pub fn for_demo(origin: &str) -> Result<Self, SettingsError> {
        Self::from_values(|name| match name {
            "TAVILY_API_KEY" => Some(DEMO_KEY.to_owned()),
            "TAVILY_BASE_URL" => Some(format!("{origin}/tavily")),
            _ => Some(format!("{origin}/searxng")),
        })
    }

    fn from_values(value: impl Fn(&'static str) -> Option<String>) -> Result<Self, SettingsError> {
        let given = |name| non_blank(value(name));
        let required = |name| given(name).ok_or(SettingsError::Missing(name));
        let url = |name, text: String| secure_url(&text).map_err(|text| SettingsError::Address { name, text });

        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", required("TAVILY_API_KEY")?))
            .map_err(|_| SettingsError::Key)?;
        authorization.set_sensitive(true);
        Ok(Self {
            authorization,
            tavily: url("TAVILY_BASE_URL", given("TAVILY_BASE_URL").unwrap_or_else(|| TAVILY.to_owned()))?,
            searxng: url("SEARXNG_BASE_URL", required("SEARXNG_BASE_URL")?)?,
        })
    }
}

/// Why the settings are invalid.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A required variable is missing.
    #[error("{0} is not set; `search-server --help` says what it is, and `--demo` needs none")]
    Missing(&'static str),
    /// It is not a valid header value.
    #[error("TAVILY_API_KEY holds characters that no key has")]
    Key,
    /// The base URL is invalid, or would send queries and keys unencrypted.
    #[error(
        "{name} is `{text}`, expected an `https` address, or an `http` address of this machine, without a user name, a password or a query"
    )]
    Address {
        /// The variable.
        name: &'static str,
        /// Its value.
        text: String,
    },
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

    fn read(key: &str, tavily: &str, searxng: &str) -> Result<Settings, SettingsError> {
        Settings::from_values(|name| {
            let value = match name {
                "TAVILY_API_KEY" => key,
                "TAVILY_BASE_URL" => tavily,
                _ => searxng,
            };
            Some(value.to_owned())
        })
    }

    #[test]
    fn what_has_no_default_is_asked_for_by_name() {
        let named = |settings: Result<Settings, SettingsError>| settings.unwrap_err().to_string();
        assert!(named(read(" ", "", "http://localhost:8080")).starts_with("TAVILY_API_KEY is not set"));
        assert!(named(read("key", "", "")).starts_with("SEARXNG_BASE_URL is not set"));
        assert_eq!(read("key", "", "http://localhost:8080").unwrap().tavily.as_str(), "https://api.tavily.com/");
    }

    #[test]
    fn neither_keys_nor_queries_travel_in_the_clear() {
        let error = read("key", "http://api.tavily.com", "http://localhost").unwrap_err().to_string();
        assert!(error.starts_with("TAVILY_BASE_URL is `http://api.tavily.com`"), "{error}");
        assert!(read("key", "", "http://searx.example").is_err());
        assert!(read("key", "https://search.example/tavily", "http://[::1]:8080/searxng").is_ok());
    }

    #[test]
    fn no_key_in_debug_or_in_an_error() {
        let settings = read("tvly-secret-1234", "", "http://localhost").unwrap();
        assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
        let error = read("tvly-secret\n-1234", "", "http://localhost").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}
