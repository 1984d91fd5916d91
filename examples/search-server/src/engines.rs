//! The clients of the two engines. They know nothing of MCP, and nothing of breakers or timeouts.

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

/// As much of a page's text as the model gets.
const LONGEST_SNIPPET: usize = 500;

/// A client of both engines.
#[derive(Debug)]
pub struct Engines {
    authorization: HeaderValue,
    tavily: Endpoint,
    searxng: Endpoint,
    /// Serves both in the demo, for as long as they are asked.
    _upstream: Option<Embedded>,
}

impl Engines {
    /// A client of the engines that the settings name.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up: most likely the machine's certificates cannot be read.
    pub fn new(settings: &Settings) -> reqwest::Result<Self> {
        Ok(Self {
            authorization: settings.authorization.clone(),
            tavily: Endpoint::below(&settings.tavily)?,
            searxng: Endpoint::below(&settings.searxng)?,
            _upstream: None,
        })
    }

    /// A client of the demo's engines, which are served as long as it lives.
    pub(super) fn of_demo(upstream: Embedded) -> Result<Self, Box<dyn Error>> {
        let engines = Self::new(&Settings::for_demo(&upstream.origin())?)?;
        Ok(Self { _upstream: Some(upstream), ..engines })
    }

    /// Asks the first engine.
    ///
    /// # Errors
    ///
    /// If it cannot be reached, or does not answer with results.
    pub async fn tavily(&self, search: &Search) -> Result<Found, SearchError> {
        let body = json!({ "query": search.query, "max_results": search.limit() });
        let request =
            self.tavily.client.post(&self.tavily.url).header(AUTHORIZATION, self.authorization.clone()).json(&body);
        ask(Engine::Tavily, request, search.limit()).await
    }

    /// Asks the second engine.
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

/// Where an engine is asked, and what asks there.
#[derive(Debug)]
struct Endpoint {
    client: Client,
    url: String,
}

impl Endpoint {
    fn below(base: &Url) -> reqwest::Result<Self> {
        let client = http::client_for(base.as_str())
            .user_agent(concat!("search-server/", env!("CARGO_PKG_VERSION")))
            // Neither API redirects; following one could carry the query elsewhere.
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
    // The address of a request holds the query, which is not for the log.
    let unreachable = |source: reqwest::Error| SearchError::Unreachable { engine, source: source.without_url() };
    let response = request.send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(failure(engine, response).await);
    }
    let body = http::body(response, http::MAX_BODY).await.map_err(unreachable)?;
    let Body { mut results } =
        serde_json::from_slice(&body).map_err(|source| SearchError::BadResponse { engine, source })?;
    // SearXNG knows no limit.
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
        // The last two are Tavily's own.
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
