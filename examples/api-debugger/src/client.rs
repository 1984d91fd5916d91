//! The HTTP client: sends an allowed request to a checked address, without MCP and policies.

use std::{collections::BTreeMap, error::Error, net::SocketAddr};

use reqwest::{Client, Url, header::HeaderMap, redirect, retry};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    address::{NotPublic, PublicOnly},
    body::Body,
    demo,
    error::ApiError,
    hosts::{Hosts, authority},
    request::TestApi,
};
use crate::{process::with_sources, schema::plain_numbers};

/// The maximum length of a header's value in the result.
const LONGEST_VALUE: usize = 1_000;

/// The response of the API.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
pub(super) struct Answer {
    /// The HTTP status.
    status: u16,
    /// From before the host's name was resolved until the last byte was read.
    duration_ms: u64,
    /// Values by name, each cut after 1,000 characters; names are in lower case.
    headers: BTreeMap<String, Vec<String>>,
    /// What came after them.
    body: Body,
}

impl Answer {
    /// The HTTP status.
    pub(super) fn status(&self) -> u16 {
        self.status
    }
}

/// A client that sends only to allowed hosts.
#[derive(Debug)]
pub(super) struct ApiClient {
    client: Client,
    hosts: Hosts,
}

impl ApiClient {
    /// Creates the client. In the demo, its names resolve to the embedded upstream, the only loopback address that can
    /// be reached.
    pub(super) fn new(hosts: Hosts, upstream: Option<SocketAddr>) -> reqwest::Result<Self> {
        // reqwest's `rustls-no-provider` leaves the choice of a TLS provider to the executable. An error means that one
        // is already installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = match upstream {
            Some(address) => {
                let builder = Client::builder().tls_certs_only([]);
                demo::HOSTS.iter().fold(builder, |builder, host| builder.resolve(host, address))
            }
            None => Client::builder(),
        };
        let client = builder
            .user_agent(concat!("api-debugger/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(PublicOnly)
            // A proxy would resolve the name itself, without the check of the address.
            .no_proxy()
            // The model can request the target itself, and that URL is checked again.
            .redirect(redirect::Policy::none())
            // Each request is sent once, over a new connection whose address was checked.
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { client, hosts })
    }

    /// Sends one request. Every response is a success, regardless of its status.
    pub(super) async fn send(&self, request: TestApi) -> Result<Answer, ApiError> {
        let url = request.target()?;
        self.hosts.check(&url)?;
        let outgoing = self.client.request(request.method.method(), url.clone()).headers(request.header_map()?);
        let outgoing = match request.body {
            Some(body) => outgoing.body(body),
            None => outgoing,
        };
        let begun = Instant::now();
        let response = outgoing.send().await.map_err(|error| no_answer(&url, error))?;
        let status = response.status().as_u16();
        let headers = shown(response.headers());
        let body = Body::read(response).await;
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Answer { status, duration_ms, headers, body })
    }
}

fn shown(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).chars().take(LONGEST_VALUE).collect();
        shown.entry(name.as_str().to_owned()).or_default().push(value);
    }
    shown
}

fn no_answer(url: &Url, error: reqwest::Error) -> ApiError {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<NotPublic>() {
            return ApiError::NotPublic { host: authority(url) };
        }
        source = cause.source();
    }
    let source = error.without_url();
    ApiError::NoAnswer { host: authority(url), cause: with_sources(&source), source }
}
