//! The secret that the senders of webhooks share with this server.

use std::fmt;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use subtle::ConstantTimeEq;

use crate::settings::{SettingsError, secret};

/// The minimum number of characters.
const SHORTEST: usize = 16;

/// The secret. `{:?}` does not print it.
pub(in crate::http_server) struct Secret(String);

impl Secret {
    /// Reads `MAKE_WEBHOOK_SECRET`, or the file that `MAKE_WEBHOOK_SECRET_FILE` names.
    pub(in crate::http_server) fn from_env() -> Result<Option<Self>, SettingsError> {
        secret("MAKE_WEBHOOK_SECRET")?.map(Self::new).transpose()
    }

    fn new(text: String) -> Result<Self, SettingsError> {
        if text.len() < SHORTEST || text.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(SettingsError::WebhookSecret);
        }
        Ok(Self(text))
    }

    /// Whether the request presents the secret. The time that it takes shows at most the length of the secret.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, presented) = sent.split_once(' ').unwrap_or_default();
        scheme.eq_ignore_ascii_case("bearer") && presented.as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TEXT: &str = "0123456789abcdef";

    #[test]
    fn a_secret_is_long_and_can_be_sent() {
        for text in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdéf"] {
            assert!(Secret::new(text.to_owned()).is_err(), "{text}");
        }
        assert!(!format!("{:?}", Secret::new(TEXT.to_owned()).unwrap()).contains("0123"));
    }

    #[test]
    fn only_the_secret_itself_is_accepted() {
        let secret = Secret::new(TEXT.to_owned()).unwrap();
        let accepts =
            |sent: &str| secret.is_in(&HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(sent).unwrap())]));
        assert!(accepts(&format!("Bearer {TEXT}")) && accepts(&format!("bearer {TEXT}")));
        for sent in ["", "Bearer", "Bearer ", TEXT, "Basic 0123456789abcdef", "Bearer 0123456789abcde"] {
            assert!(!accepts(sent), "{sent}");
        }
        assert!(!accepts(&format!("Bearer {TEXT}0")) && !secret.is_in(&HeaderMap::new()));
    }
}
