//! One request that sends alerts.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, StatusCode, Url};
use tokio::time::timeout;

use super::endpoint::{Endpoint, Token};
use crate::panics::catch_panic;

/// The deadline of a request, which includes reading the token.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The maximum size of a file with a token.
const LONGEST_TOKEN: u64 = 16 * 1024;

/// Sends bodies to one URL.
pub(super) struct Post {
    client: Client,
    url: Url,
    token: Option<Token>,
}

/// Why a request did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    /// Whether another try may succeed.
    pub(super) is_temporary: bool,
    /// What went wrong. It contains neither the URL nor the token.
    pub(super) text: String,
}

impl Failure {
    fn temporary(text: impl Into<String>) -> Self {
        Self { is_temporary: true, text: text.into() }
    }
}

/// Builds the client of all sinks. It follows no redirects: another host must not receive the alerts and the token.
pub(super) fn client(builder: Option<ClientBuilder>) -> Result<Client, String> {
    // reqwest panics if it was built for TLS without a provider, and none is installed.
    match catch_panic(|| builder.unwrap_or_default().redirect(Policy::none()).build()) {
        Some(client) => client.map_err(|error| root(&error)),
        None => Err("no TLS provider is installed; install one before the start".into()),
    }
}

/// Returns what was wrong in the first place.
fn root(error: &reqwest::Error) -> String {
    let mut last = error.source();
    while let Some(next) = last.and_then(|error| error.source()) {
        last = Some(next);
    }
    last.map_or_else(|| error.to_string(), ToString::to_string)
}

impl Post {
    /// Prepares requests to a URL below that of the endpoint.
    pub(super) fn new(client: Client, endpoint: Endpoint, path: &[&str]) -> Result<Self, String> {
        let mut url = Url::parse(&endpoint.url).map_err(|why| format!("not a URL: {why}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("expected a URL that begins with `http://` or `https://`".into());
        }
        if !path.is_empty()
            && let Ok(mut segments) = url.path_segments_mut()
        {
            segments.pop_if_empty().extend(path);
        }
        Ok(Self { client, url, token: endpoint.token })
    }

    /// Returns the scheme, host and port of the URL. The other parts may contain a secret.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Sends a body.
    pub(super) async fn send(&self, body: Vec<u8>) -> Result<(), Failure> {
        let sent = timeout(DEADLINE, self.send_in_time(body)).await;
        sent.unwrap_or_else(|_| Err(Failure::temporary("no response within 10 s")))
    }

    async fn send_in_time(&self, body: Vec<u8>) -> Result<(), Failure> {
        let json = HeaderValue::from_static("application/json");
        let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, json).body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.read().await?);
        }
        let response = request
            .send()
            .await
            .map_err(|error| Failure { is_temporary: !error.is_builder(), text: root(&error.without_url()) })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let is_temporary =
            status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        let text = match status {
            status if status.is_redirection() => format!("status {}, and redirects are not followed", status.as_u16()),
            status => format!("status {}", status.as_u16()),
        };
        Err(Failure { is_temporary, text })
    }
}

impl Token {
    async fn read(&self) -> Result<String, Failure> {
        let path = match self {
            Self::Text(token) => return Ok(token.clone()),
            Self::File(path) => path.clone(),
        };
        let read = tokio::task::spawn_blocking(move || {
            use std::io::Read as _;

            let mut text = String::new();
            std::fs::File::open(path)?.take(LONGEST_TOKEN).read_to_string(&mut text)?;
            std::io::Result::Ok(text)
        });
        match read.await {
            Ok(Ok(text)) => Ok(text.trim().to_owned()),
            Ok(Err(error)) => Err(Failure::temporary(format!("the file with the token: {error}"))),
            Err(_) => Err(Failure::temporary("the runtime shuts down")),
        }
    }
}
