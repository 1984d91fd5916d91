//! The HTTP client of a service: TLS, base URLs that are safe for secrets, and bounded reads of responses.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, ClientBuilder, Response, Url, header::RETRY_AFTER};
use resilient_runtime::classify::parse_retry_after;

/// The maximum size of a response body in bytes: an endless response must not fill the memory.
pub(crate) const MAX_BODY: usize = 16 << 20;

/// The maximum size of an error's body in bytes. The log truncates it further.
const MAX_ERROR_BODY: usize = 16_000;

/// Selects ring as the TLS provider of the process; reqwest's `rustls-no-provider` leaves the choice to the executable.
pub(crate) fn install_tls_provider() {
    // An error means that another provider is already installed, which works as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for plain HTTP on loopback. It bypasses the proxy of the environment and does not load the system's
/// certificates.
pub(crate) fn loopback_client() -> ClientBuilder {
    install_tls_provider();
    Client::builder().no_proxy().tls_certs_only([])
}

/// A client for a [secure](secure_url) base URL. Plain HTTP never leaves this machine, not even through a proxy.
pub(crate) fn client_for(base: &str) -> ClientBuilder {
    if base.starts_with("https:") {
        install_tls_provider();
        Client::builder()
    } else {
        loopback_client()
    }
}

/// Parses a base URL that may receive a secret: `https`, or `http` to this machine. The URL may appear in responses and
/// logs, so it must not contain credentials or a query. The error is the text without its credentials.
pub(crate) fn secure_url(text: &str) -> Result<Url, String> {
    let is_bare = |url: &Url| {
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
    };
    let url = Url::parse(text).ok().filter(|url| is_secure(url) && is_bare(url));
    url.ok_or_else(|| text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("***@{rest}")))
}

/// Whether requests to this URL cannot be read on the network.
fn is_secure(url: &Url) -> bool {
    let is_local = |host: &str| {
        host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
    };
    url.host_str().is_some_and(|host| url.scheme() == "https" || url.scheme() == "http" && is_local(host))
}

/// The delay of the `Retry-After` header.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    parse_retry_after(response.headers().get(RETRY_AFTER)?.to_str().ok()?)
}

/// Reads at most `limit` bytes of the body. Errors do not contain the URL, whose query may be private.
pub(crate) async fn body(mut response: Response, limit: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        body.extend(chunk.iter().take(limit - body.len()));
        if body.len() == limit {
            break;
        }
    }
    Ok(body)
}

/// Reads the body of an error response for the log.
pub(crate) async fn error_body(response: Response) -> String {
    match body(response, MAX_ERROR_BODY).await {
        Ok(body) => String::from_utf8_lossy(&body).into_owned(),
        Err(error) => format!("(no body: {error})"),
    }
}
