//! Where alerts are sent to, and the token that is sent with them.

use std::fmt;
use std::path::PathBuf;

/// A URL that alerts are sent to, and the token that it requires.
///
/// Its `Debug` output shows neither the token nor the path of the URL, which may contain a secret.
///
/// ```
/// use resilient_runtime::alerts::{Alerts, Endpoint};
///
/// let endpoint = Endpoint::new("http://127.0.0.1:9000/hooks/secret").bearer_token("geheim");
/// assert!(!format!("{endpoint:?}").contains("geheim"));
/// let alerts = Alerts::new().webhook(endpoint).webhook("http://127.0.0.1:9001");
/// # drop(alerts);
/// ```
#[derive(Clone)]
pub struct Endpoint {
    pub(super) url: String,
    pub(super) token: Option<Token>,
}

/// Where a token comes from.
#[derive(Clone)]
pub(super) enum Token {
    Text(String),
    /// A file that is read for each request.
    File(PathBuf),
}

impl Endpoint {
    /// Creates an endpoint without a token.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), token: None }
    }

    /// Sets the bearer token that is sent with each request.
    #[must_use]
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Token::Text(token.into()));
        self
    }

    /// Sets the file that contains the bearer token. It is read for each request, so that the token can be replaced.
    #[must_use]
    pub fn bearer_token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token = Some(Token::File(path.into()));
        self
    }
}

impl From<&str> for Endpoint {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Endpoint {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("has_token", &self.token.is_some()).finish_non_exhaustive()
    }
}
