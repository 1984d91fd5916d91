//! The HTTP client of a link.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, retry};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::link::http::endpoint::Endpoint;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is kept without a request. Many servers close such a connection after 5 s, and a request that
/// meets the end of the connection fails without a sign whether the server has processed it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

const MOST_REDIRECTS: usize = 5;

/// Builds the client for an endpoint.
///
/// It has no total timeout, because deadlines are set for each call, and it repeats no request. The certificates that
/// it trusts are those of the platform.
pub(super) fn build(endpoint: &Endpoint) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent(concat!("resilient-client/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls(endpoint)?)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .retry(retry::never())
        .redirect(same_origin())
        .referer(false);
    if endpoint.is_loopback() {
        // A proxy from the environment would look for the server on another host.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| root(&error))
}

/// Returns the settings for TLS. They are set explicitly, because reqwest panics if no provider is installed, and the
/// choice of the provider for the whole process belongs to the application.
fn tls(endpoint: &Endpoint) -> Result<ClientConfig, String> {
    let installed = CryptoProvider::get_default().cloned();
    let provider = installed.unwrap_or_else(|| Arc::new(ring::default_provider()));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let is_encrypted = endpoint.url().scheme() == "https";
    if endpoint.is_loopback() && !is_encrypted {
        // Reading the certificates of the platform takes some milliseconds, and none is needed.
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    match Verifier::new(provider) {
        Ok(verifier) => {
            Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
        }
        Err(why) if is_encrypted => Err(format!("the certificates of the platform cannot be read: {why}")),
        Err(_) => Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()),
    }
}

/// Follows the redirects that repeat the request at the same origin. Other redirects would lose the message, or give
/// the headers to another server.
fn same_origin() -> Policy {
    Policy::custom(|attempt| {
        let keeps_message =
            [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&attempt.status());
        let is_same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
        if keeps_message && is_same && attempt.previous().len() <= MOST_REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

/// Returns the first cause of an error. Unlike the text of the error itself, it does not contain the URL.
pub(super) fn root(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(Error::source) {
        cause = Some(next);
    }
    cause.map_or_else(|| "the request failed".into(), ToString::to_string)
}
