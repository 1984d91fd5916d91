//! The client of the service, without MCP, retries, breakers or timeouts.
//!
//! | request | responses |
//! |---|---|
//! | `GET /scenarios` | 200: [`Scenarios`] |
//! | `PATCH /scenarios/{id}` with `version` and `set`, and an `Idempotency-Key` | 200: the [`Scenario`]; 404; 422: a value is not allowed; 409: it has another version: [`Changed`] |
//!
//! A repeated `PATCH` with the key of one that succeeded changes nothing and has the same response. The service forgets
//! the key of a `PATCH` that it rejects: after a conflict, the same key comes with another version and fewer values. A
//! service that keeps these keys too, and rejects them with another body, needs another way to recognise a change.

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap},
    redirect,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    error::SyncError,
    settings::Settings,
    types::{Field, Fields, Scenario, Scenarios},
};
use crate::http;

/// A client of the service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ScenarioApi {
    client: Client,
    base: String,
}

/// The response to a `PATCH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patched {
    /// The scenario has the values.
    Done(Scenario),
    /// It has another version than the change is based on; nothing was written.
    Conflict(Changed),
    /// There is no such scenario.
    NotFound,
    /// A value is not allowed.
    Invalid,
}

/// What was changed since the version of a rejected change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Changed {
    /// The scenario as it is now.
    pub scenario: Scenario,
    /// The fields that were changed since.
    pub changed: Vec<Field>,
}

impl ScenarioApi {
    /// Creates a client of the service in the settings.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up, most likely because the system's certificates cannot be read.
    pub fn new(settings: &Settings) -> reqwest::Result<Self> {
        let client = http::client_for(settings.base_url.as_str())
            .user_agent(concat!("scenario-sync/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, settings.authorization.clone())]))
            // The API does not redirect. Following a redirect could send the token elsewhere.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { client, base: settings.base_url.as_str().trim_end_matches('/').to_owned() })
    }

    /// `GET /scenarios`.
    ///
    /// # Errors
    ///
    /// If the service cannot be reached, or does not respond with scenarios.
    pub async fn list(&self) -> Result<Scenarios, SyncError> {
        let response = self.client.get(format!("{}/scenarios", self.base)).send().await?;
        if response.status().is_success() { read(response).await } else { Err(failure(response).await) }
    }

    /// `PATCH /scenarios/{id}`. The key makes a repeated request harmless.
    ///
    /// # Errors
    ///
    /// If the service cannot be reached, or responds with another status than those of [`Patched`].
    pub async fn patch(&self, id: u64, version: u64, set: &Fields, key: &str) -> Result<Patched, SyncError> {
        let request: RequestBuilder = self.client.patch(format!("{}/scenarios/{id}", self.base));
        let request = request.header("Idempotency-Key", key).json(&json!({ "version": version, "set": set }));
        let response = request.send().await?;
        match response.status() {
            status if status.is_success() => read(response).await.map(Patched::Done),
            StatusCode::CONFLICT => read(response).await.map(Patched::Conflict),
            StatusCode::NOT_FOUND => Ok(Patched::NotFound),
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Patched::Invalid),
            _ => Err(failure(response).await),
        }
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, SyncError> {
    // Not `Response::json`, which does not distinguish a failed read from invalid JSON.
    let body = http::body(response, http::MAX_BODY).await?;
    serde_json::from_slice(&body).map_err(SyncError::BadResponse)
}

async fn failure(response: Response) -> SyncError {
    let (status, wait) = (response.status(), http::retry_after(&response));
    if status == StatusCode::TOO_MANY_REQUESTS {
        return SyncError::RateLimited { wait };
    }
    let body = http::error_body(response).await;
    if status == StatusCode::UNAUTHORIZED {
        return SyncError::TokenRefused { body };
    }
    SyncError::Status { status: status.as_u16(), wait, body }
}
