//! The settings of the client, from the environment, validated before the server starts.

use std::env;

use reqwest::{Url, header::HeaderValue};

use super::demo::DEMO_TOKEN;
use crate::http::secure_url;

/// The settings of the client.
#[derive(Debug)]
pub struct Settings {
    /// The value of `Authorization`, marked as sensitive, so that `{:?}` does not print it.
    pub(super) authorization: HeaderValue,
    pub(super) base_url: Url,
}

impl Settings {
    /// Reads `SCENARIOS_API_TOKEN` and `SCENARIOS_BASE_URL`.
    ///
    /// # Errors
    ///
    /// If one of them is missing or invalid.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_values(|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Returns the settings of the demo: the service at a loopback address.
    ///
    /// # Errors
    ///
    /// If the address is invalid.
    pub fn for_demo(origin: &str) -> Result<Self, SettingsError> {
        Self::from_values(|name| Some(if name == "SCENARIOS_API_TOKEN" { DEMO_TOKEN } else { origin }.to_owned()))
    }

    fn from_values(value: impl Fn(&'static str) -> Option<String>) -> Result<Self, SettingsError> {
        let required = |name| {
            let value = value(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
            value.ok_or(SettingsError::Missing(name))
        };
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", required("SCENARIOS_API_TOKEN")?))
            .map_err(|_| SettingsError::Token)?;
        authorization.set_sensitive(true);
        let base_url = secure_url(&required("SCENARIOS_BASE_URL")?).map_err(SettingsError::Address)?;
        Ok(Self { authorization, base_url })
    }
}

/// Why the settings are invalid.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A required variable is missing.
    #[error("{0} is not set; `scenario-sync --help` says what it is, and `--demo` needs none")]
    Missing(&'static str),
    /// It is not a valid header value.
    #[error("SCENARIOS_API_TOKEN holds characters that no token has")]
    Token,
    /// The base URL is invalid, or would send the token unencrypted.
    #[error(
        "SCENARIOS_BASE_URL is `{0}`, expected an `https` address, or an `http` address of this machine, without a user name, a \
         password or a query"
    )]
    Address(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(token: &str, base: &str) -> Result<Settings, SettingsError> {
        Settings::from_values(|name| Some(if name == "SCENARIOS_API_TOKEN" { token } else { base }.to_owned()))
    }

    #[test]
    fn both_are_required_and_the_token_is_never_sent_unencrypted_or_printed() {
        let message = |token, base| read(token, base).unwrap_err().to_string();
        assert!(message(" ", "http://localhost").starts_with("SCENARIOS_API_TOKEN is not set"));
        assert!(message("t", "").starts_with("SCENARIOS_BASE_URL is not set"));
        assert!(message("t", "http://scenarios.example").contains("`http://scenarios.example`"));
        let settings = read("secret-1234", "https://scenarios.example/api").unwrap();
        assert!(!format!("{settings:?}").contains("secret-1234"), "{settings:?}");
        assert!(!message("secret\n-1234", "http://localhost").contains("secret"));
    }
}
