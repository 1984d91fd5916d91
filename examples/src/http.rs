//! What every client of a service needs: TLS, an address that is safe to send a token to, and what an answer says beside its content.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, ClientBuilder, Response, Url, header::RETRY_AFTER};
use resilient_runtime::parse_retry_after;

/// The most bytes that are read of an answer: a service that never stops must not fill the memory.
pub(crate) const LONGEST_ANSWER: usize = 16 << 20;

/// As much of an error's body as is looked at, in bytes; the log cuts it further.
const LONGEST_ERROR: usize = 16_000;

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

/// A client of the service at a [safe](secure_url) address. What is sent in the clear does not leave this machine, by a proxy either.
pub(crate) fn client_of(base: &str) -> ClientBuilder {
    if base.starts_with("https:") { client() } else { loopback_client() }
}

/// Reads a base URL to which a secret may be sent: `https`, or `http` to this machine. It may end up in answers and logs, so it holds
/// no secret itself. What is none is given back as it may be printed.
pub(crate) fn secure_url(text: &str) -> Result<Url, String> {
    let is_bare = |url: &Url| {
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
    };
    let url = Url::parse(text).ok().filter(|url| is_safe(url) && is_bare(url));
    url.ok_or_else(|| text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("***@{rest}")))
}

/// Whether what is sent there cannot be read on the way.
fn is_safe(url: &Url) -> bool {
    let is_local = |host: &str| {
        host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
    };
    url.host_str().is_some_and(|host| url.scheme() == "https" || url.scheme() == "http" && is_local(host))
}

/// How long the service asks to be left alone, if it does.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    parse_retry_after(response.headers().get(RETRY_AFTER)?.to_str().ok()?)
}

/// The beginning of an answer's body, of this many bytes at most. Its errors do not show the URL, which may hold what was asked.
pub(crate) async fn body(mut response: Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        body.extend(chunk.iter().take(most - body.len()));
        if body.len() == most {
            break;
        }
    }
    Ok(body)
}

/// What an answer that is no success says.
pub(crate) async fn body_of_error(response: Response) -> String {
    match body(response, LONGEST_ERROR).await {
        Ok(body) => String::from_utf8_lossy(&body).into_owned(),
        Err(error) => format!("(no body: {error})"),
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, io};

    use axum::{Router, body::Body, routing::get};
    use futures_util::{StreamExt, stream};
    use tokio::task::yield_now;

    use super::*;
    use crate::embedded::Embedded;

    async fn answer(body: impl Fn() -> Body + Clone + Send + Sync + 'static) -> Response {
        let upstream = Embedded::start(Router::new().route("/", get(async move || body()))).await.unwrap();
        let request = loopback_client().build().unwrap().get(upstream.origin()).query(&[("asked", "secret")]);
        let response = request.send().await.unwrap();
        // The connection that is open outlives it.
        drop(upstream);
        response
    }

    #[tokio::test]
    async fn of_a_body_without_an_end_the_beginning_is_read() {
        let endless = || Body::from_stream(stream::repeat(Ok::<_, Infallible>("and so on, ")));
        assert_eq!(body_of_error(answer(endless).await).await.len(), LONGEST_ERROR);
        assert_eq!(body(answer(|| Body::from("short")).await, LONGEST_ERROR).await.unwrap(), b"short");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_does_not_tell_what_was_asked() {
        let rest = async || {
            // Until the first half is on its way.
            yield_now().await;
            Err(io::Error::other("torn"))
        };
        let torn = move || Body::from_stream(stream::iter([Ok("half")]).chain(stream::once(rest())));
        let text = body_of_error(answer(torn).await).await;
        assert!(text.starts_with("(no body: ") && !text.contains("secret"), "{text}");
    }
}
