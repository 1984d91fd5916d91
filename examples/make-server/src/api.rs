//! The part of Make's API v2 that the tools use, without MCP, retries, breakers or timeouts.

use std::sync::Arc;

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap},
    redirect,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    error::MakeError,
    settings::Settings,
    types::{Connections, Execution, RunKey, Scenario, Scenarios},
};
use crate::{http, upstream::PANIC_HEADER};

/// A client of Make's API v2. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MakeApi {
    client: Client,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    base: String,
    /// Whether a response can trigger a panic; only in the demo.
    panics_on_request: bool,
}

impl MakeApi {
    /// Creates a client of the API in the settings.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up, most likely because the system's certificates cannot be read.
    pub fn new(settings: &Settings) -> reqwest::Result<Self> {
        let client = http::client_for(settings.base_url.as_str())
            .user_agent(concat!("make-server/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, settings.token.header())]))
            // The API does not redirect. Following a redirect could send the token elsewhere.
            .redirect(redirect::Policy::none())
            .build()?;
        let shared = Shared {
            base: settings.base_url.as_str().trim_end_matches('/').to_owned(),
            panics_on_request: settings.demo,
        };
        Ok(Self { client, shared: Arc::new(shared) })
    }

    /// `GET /scenarios`.
    ///
    /// # Errors
    ///
    /// If Make cannot be reached, or does not respond with scenarios.
    pub async fn scenarios(&self, team_id: u64, limit: u32) -> Result<Scenarios, MakeError> {
        let query = [("teamId", team_id), ("pg[limit]", u64::from(limit.clamp(1, 100)))];
        self.send(self.client.get(self.url("/scenarios")).query(&query)).await
    }

    /// `GET /scenarios/{id}`.
    ///
    /// # Errors
    ///
    /// [`MakeError::NoSuchScenario`], or as for [`MakeApi::scenarios`].
    pub async fn scenario(&self, id: u64) -> Result<Scenario, MakeError> {
        #[derive(Deserialize)]
        struct Envelope {
            scenario: Scenario,
        }
        let request = self.client.get(self.url(&format!("/scenarios/{id}")));
        let Envelope { scenario } = self.send(request).await.map_err(|error| no_such_scenario(error, id))?;
        Ok(scenario)
    }

    /// `POST /scenarios/{id}/run`, without waiting for the run to end. Make starts a separate run for each request: the
    /// key becomes the scenario's input `idempotency_key`, with which the scenario can recognise a repeated run.
    ///
    /// # Errors
    ///
    /// [`MakeError::NoSuchScenario`], or as for [`MakeApi::scenarios`].
    /// Without a response the scenario may run nevertheless.
    pub async fn run(&self, id: u64, key: Option<&RunKey>) -> Result<Execution, MakeError> {
        let request = self.client.post(self.url(&format!("/scenarios/{id}/run")));
        let body = match key {
            Some(key) => json!({ "responsive": false, "data": { "idempotency_key": key } }),
            None => json!({ "responsive": false }),
        };
        self.send(request.json(&body)).await.map_err(|error| no_such_scenario(error, id))
    }

    /// `GET /connections`.
    ///
    /// # Errors
    ///
    /// If Make cannot be reached, or does not respond with connections.
    pub async fn connections(&self, team_id: u64) -> Result<Connections, MakeError> {
        self.send(self.client.get(self.url("/connections")).query(&[("teamId", team_id)])).await
    }

    /// `GET /organizations`, only for its status: whether Make responds and accepts the token.
    ///
    /// # Errors
    ///
    /// If Make cannot be reached.
    pub async fn status(&self) -> reqwest::Result<StatusCode> {
        let request = self.client.get(self.url("/organizations")).query(&[("pg[limit]", 1)]);
        request.send().await.map(|response| response.status())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.shared.base)
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, MakeError> {
        let response = request.send().await?;
        self.panic_if_asked_to(&response);
        if !response.status().is_success() {
            return Err(self.failure(response).await);
        }
        // Not `Response::json`, which does not distinguish a failed read from invalid JSON.
        let body = http::body(response, http::MAX_BODY).await?;
        serde_json::from_slice(&body).map_err(MakeError::BadResponse)
    }

    async fn failure(&self, response: Response) -> MakeError {
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return MakeError::RateLimited { wait: http::retry_after(&response) };
        }
        let wait = http::retry_after(&response);
        let body = http::error_body(response).await;
        if status == StatusCode::UNAUTHORIZED {
            return MakeError::TokenRefused { body };
        }
        MakeError::Upstream { status: status.as_u16(), wait, body }
    }

    /// The demo's bug: a response that this code does not expect.
    fn panic_if_asked_to(&self, response: &Response) {
        if !self.shared.panics_on_request {
            return;
        }
        if let Some(text) = response.headers().get(PANIC_HEADER).and_then(|text| text.to_str().ok()) {
            panic!("{text}");
        }
    }
}

fn no_such_scenario(error: MakeError, id: u64) -> MakeError {
    match error {
        MakeError::Upstream { status: 404, .. } => MakeError::NoSuchScenario { id },
        other => other,
    }
}
