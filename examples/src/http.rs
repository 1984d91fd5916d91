//! What every client of a service needs: TLS, an address that is safe to send a token to, and what an answer says beside its content.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, ClientBuilder, Response, Url, header::RETRY_AFTER};
use resilient_runtime::parse_retry_after;

/// As much of an error's body as is looked at; the log cuts it further.
const LONGEST_BODY: usize = 16_000;

/// Lets every client of the process speak TLS with ring: the choice of this package's executables, as the libraries make none.
pub(crate) fn provide_tls() {
    // An error means that a provider was installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client that speaks TLS.
pub(crate) fn client() -> ClientBuilder {
    provide_tls();
    Client::builder()
}

/// A client for plain HTTP on loopback: past the proxy of the environment, and without the machine's certificates, which may not exist.
pub fn loopback_client() -> ClientBuilder {
    client().no_proxy().tls_certs_only([])
}

/// Reads a base URL to which a secret may be sent: `https`, or `http` to this machine.
pub(crate) fn secure_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    let is_local =
        || host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
    let usable = url.scheme() == "https" || url.scheme() == "http" && is_local();
    (usable && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

/// How long the service asks to be left alone, if it does.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    parse_retry_after(response.headers().get(RETRY_AFTER)?.to_str().ok()?)
}

/// What an answer that is no success says.
pub(crate) async fn body_of_error(response: Response) -> String {
    let body = response.text().await.unwrap_or_else(|error| format!("(no body: {error})"));
    body.chars().take(LONGEST_BODY).collect()
}
