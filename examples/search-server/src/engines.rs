//! The clients of the two engines, without MCP, breakers or timeouts.

use std::error::Error;

use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{AUTHORIZATION, HeaderValue},
    redirect,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    error::SearchError,
    settings::Settings,
    types::{Engine, Found, Hit, Search},
};
use crate::{embedded::Embedded, http};

/// The maximum length of a page's text in a result.
const LONGEST_SNIPPET: usize = 500;

/// A client of both engines.
#[derive(Debug)]
pub struct Engines {
    authorization: HeaderValue,
    tavily: Endpoint,
    searxng: Endpoint,
    /// The demo's upstream; dropping it stops it.
    _upstream: Option<Embedded>,
}

impl Engines {
    /// Creates a client of the engines in the settings.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up, most likely because the system's certificates cannot be read.
    pub fn new(settings: &Settings) -> reqwest::Result<Self> {
        Ok(Self {
            authorization: settings.authorization.clone(),
            tavily: Endpoint::below(&settings.tavily)?,
            searxng: Endpoint::below(&settings.searxng)?,
            _upstream: None,
        })
    }

    /// Creates a client of the demo's engines, and owns their upstream.
    pub(super) fn of_demo(upstream: Embedded) -> Result<Self, Box<dyn Error>> {
        let engines = Self::new(&Settings::for_demo(&upstream.origin())?)?;
        Ok(Self { _upstream: Some(upstream), ..engines })
    }

    /// Searches with the first engine.
    ///
    /// # Errors
    ///
    /// If it cannot be reached, or does not respond with results.
    pub async fn tavily(&self, search: &Search) -> Result<Found, SearchError> {
        let body = json!({ "query": search.query, "max_results": search.limit() });
        let request =
            self.tavily.client.post(&self.tavily.url).header(AUTHORIZATION, self.authorization.clone()).json(&body);
        ask(Engine::Tavily, request, search.limit()).await
    }

    /// Searches with the second engine.
    ///
    /// # Errors
    ///
    /// As for [`Engines::tavily`].
    pub async fn searxng(&self, search: &Search) -> Result<Found, SearchError> {
        let request =
            self.searxng.client.get(&self.searxng.url).query(&[("q", search.query.as_str()), ("format", "json")]);
        ask(Engine::Searxng, request, search.limit()).await
    }
}

/// The endpoint of an engine, and its HTTP client.
#[derive(Debug)]
struct Endpoint {
    client: Client,
    url: String,
}

impl Endpoint {
    fn below(base: &Url) -> reqwest::Result<Self> {
        let client = http::client_for(base.as_str())
            .user_agent(concat!("search-server/", env!("CARGO_PKG_VERSION")))
            // Neither API redirects. Following a redirect could send the query elsewhere.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { client, url: format!("{}/search", base.as_str().trim_end_matches('/')) })
    }
}

async fn ask(engine: Engine, request: RequestBuilder, limit: u32) -> Result<Found, SearchError> {
    #[derive(Deserialize)]
    struct Body {
        results: Vec<Hit>,
    }
    // The URL contains the query, which must not be logged.
    let unreachable = |source: reqwest::Error| SearchError::Unreachable { engine, source: source.without_url() };
    let response = request.send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(failure(engine, response).await);
    }
    let body = http::body(response, http::MAX_BODY).await.map_err(unreachable)?;
    let Body { mut results } =
        serde_json::from_slice(&body).map_err(|source| SearchError::BadResponse { engine, source })?;
    // SearXNG has no parameter for a limit.
    results.truncate(limit as usize);
    for hit in &mut results {
        hit.snippet = hit.snippet.chars().take(LONGEST_SNIPPET).collect();
    }
    Ok(Found { engine, results })
}

async fn failure(engine: Engine, response: Response) -> SearchError {
    let status = response.status().as_u16();
    match status {
        401 if engine == Engine::Tavily => SearchError::KeyRefused { engine },
        // The last two are specific to Tavily.
        402 | 432 | 433 => SearchError::PlanUsedUp { engine },
        429 => SearchError::RateLimited { engine, wait: http::retry_after(&response) },
        500.. => SearchError::Down {
            engine,
            status,
            wait: http::retry_after(&response),
            body: http::error_body(response).await,
        },
        _ => SearchError::Refused { engine, status, body: http::error_body(response).await },
    }
}
