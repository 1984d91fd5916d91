//! One request that sends alerts.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, StatusCode, Url};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::endpoint::{Endpoint, Token};
use crate::panics::catch_panic;

/// The deadline of a request, which includes reading the token.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The maximum size of a file with a token.
const LONGEST_TOKEN: u64 = 16 * 1024;

/// The number of tries of a request that the receiver cannot process: with the delays between them, 30 to 60 minutes.
const MOST_TRIES: u32 = 60;

/// The number of tries of a request that the receiver does not permit: with the delays between them, 2 to 5 minutes.
const FEW_TRIES: u32 = 10;

/// Sends bodies to one URL.
pub(super) struct Post {
    client: Client,
    url: Url,
    token: Option<Token>,
    /// The read of a token that has not ended yet. At most one thread waits for a file that cannot be read.
    reading: Mutex<Option<JoinHandle<io::Result<String>>>>,
}

/// Why a request did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    /// The number of tries after which a request that fails like this is given up.
    pub(super) most_tries: Option<u32>,
    /// What went wrong. It contains neither the URL nor the token.
    pub(super) text: String,
}

impl Failure {
    fn temporary(text: impl Into<String>) -> Self {
        Self { most_tries: None, text: text.into() }
    }

    /// Returns whether no other try can succeed.
    pub(super) fn is_final(&self) -> bool {
        self.most_tries == Some(1)
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
        Ok(Self { client, url, token: endpoint.token, reading: Mutex::new(None) })
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
        match &self.token {
            None => {}
            Some(Token::Text(token)) => request = request.bearer_auth(token),
            Some(Token::File(path)) => request = request.bearer_auth(self.read_token(path).await?),
        }
        let response = request.send().await.map_err(|error| Failure {
            most_tries: error.is_builder().then_some(1),
            text: root(&error.without_url()),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let text = match status {
            status if status.is_redirection() => format!("status {}, and redirects are not followed", status.as_u16()),
            status => format!("status {}", status.as_u16()),
        };
        Err(Failure { most_tries: Some(most_tries(status)), text })
    }

    async fn read_token(&self, path: &Path) -> Result<String, Failure> {
        let mut reading = self.reading.lock().await;
        let path = path.to_owned();
        let read = reading.get_or_insert_with(|| spawn_blocking(|| read(path))).await;
        *reading = None;
        match read {
            Ok(Ok(text)) => Ok(text.trim().to_owned()),
            Ok(Err(error)) => Err(Failure::temporary(format!("the file with the token: {error}"))),
            Err(_) => Err(Failure::temporary("the runtime shuts down")),
        }
    }
}

/// Returns the number of tries after which a request that is answered with this status is given up.
fn most_tries(status: StatusCode) -> u32 {
    match status {
        // The receiver may reject this body alone, so that it would be tried for ever.
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => MOST_TRIES,
        status if status.is_server_error() => MOST_TRIES,
        // A token or a route may be about to be replaced.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => FEW_TRIES,
        _ => 1,
    }
}

fn read(path: PathBuf) -> io::Result<String> {
    use io::Read as _;

    let mut text = String::new();
    std::fs::File::open(path)?.take(LONGEST_TOKEN).read_to_string(&mut text)?;
    Ok(text)
}
