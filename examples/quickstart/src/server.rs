//! The server. From top to bottom: the error type, arguments and results, the tools with their policies, the handler.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, header::RETRY_AFTER};
use resilient_runtime::classify::parse_retry_after;
use resilient_runtime::{McpError, ResilienceError, resilient};
use rmcp::{Json, ServerHandler, handler::server::wrapper::Parameters, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{embedded::Embedded, schema::plain_numbers};

/// The errors of the tools. Each variant names its kind, or the value that the kind is derived from. The kind decides
/// whether a call is retried, counts as a failure for the breaker, uses the fallback, and what the client reads.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SHOP")]
pub enum ShopError {
    /// The shop responded with an error status. 404 is a mistake of the caller, 503 one of the shop.
    #[error("the shop answered {status}: {body}")] // only for the log
    Status {
        /// The HTTP status.
        #[mcp(status, detail)]
        status: u16,
        /// The header `Retry-After`: no retry is earlier, and the client reads when to call again.
        #[mcp(retry_after)]
        wait: Option<Duration>,
        /// The body of the response.
        body: String,
    },

    /// The shop did not respond, or not with JSON.
    #[error("cannot reach the shop")]
    Http(
        #[from]
        #[mcp(classify)]
        reqwest::Error,
    ),

    /// A policy ended the call: timeout, open breaker, limit, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
struct OrderId {
    /// The order's id.
    id: u64,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
struct BookId {
    /// The book's id.
    id: u64,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Search {
    /// Words of the title.
    words: String,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
struct SetAddress {
    /// The order's id.
    id: u64,
    /// The new address.
    address: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
struct Order {
    id: u64,
    state: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = plain_numbers)]
struct Price {
    cents: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Books {
    titles: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Invoice {
    text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Done {
    says: String,
}

/// A book shop for MCP clients.
#[derive(Debug)]
pub struct BookShop {
    http: Client,
    upstream: Embedded,
}

impl BookShop {
    pub(super) fn new(upstream: Embedded) -> reqwest::Result<Self> {
        // reqwest's `rustls-no-provider` leaves the choice of a TLS provider to the executable. An error means that one
        // is already installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // For plain HTTP on loopback: without a proxy and without the system's certificates.
        let http = Client::builder().no_proxy().tls_certs_only([]).build()?;
        Ok(Self { http, upstream })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ShopError> {
        self.send(self.http.get(self.url(path))).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.upstream.origin())
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ShopError> {
        // The error is logged, and the URL may contain the search words.
        let no_url = reqwest::Error::without_url;
        let response = request.send().await.map_err(no_url)?;
        let status = response.status();
        if !status.is_success() {
            let wait = response.headers().get(RETRY_AFTER).and_then(|value| parse_retry_after(value.to_str().ok()?));
            let status = status.as_u16();
            return Err(ShopError::Status { status, wait, body: response.text().await.map_err(no_url)? });
        }
        Ok(response.json().await.map_err(no_url)?)
    }

    /// The fallback of `price`. It has the tool's parameters and the error.
    async fn list_price(
        &self,
        Parameters(BookId { id }): Parameters<BookId>,
        _error: &ShopError,
    ) -> Result<Json<Price>, ShopError> {
        self.get(&format!("/list-prices/{id}")).await.map(Json)
    }
}

// These defaults apply to every tool below that does not override them. Every call ends after five seconds; only a
// fallback function may add to that. After five consecutive failures of all tools together the breaker opens: for ten
// seconds it rejects calls at once.
#[resilient(timeout = "5s", breaker(name = "shop", failures = 5, open = "10s"))]
#[tool_router(vis = "pub")]
impl BookShop {
    /// Show an order.
    // `retry`: up to three attempts of at most one second each, on transient errors. The annotation says that repeating
    // is harmless. `fallback = cached`: after that the last good response, marked as old. `cache`: the maximum age and
    // number of responses. `log_args`: logs the id; without the key no argument is logged.
    #[resilient(
        retry(max = 2, base = "100ms"),
        attempt_timeout = "1s",
        fallback = cached,
        cache(stale_if_error = "10m", max = 500),
        log_args(id)
    )]
    #[tool(annotations(read_only_hint = true))]
    async fn order(&self, Parameters(OrderId { id }): Parameters<OrderId>) -> Result<Json<Order>, ShopError> {
        self.get(&format!("/orders/{id}")).await.map(Json)
    }

    /// Show what a book costs today.
    // A function as fallback: if today's price is unavailable, the list price from another machine.
    #[resilient(fallback = Self::list_price)]
    #[tool(annotations(read_only_hint = true))]
    async fn price(&self, Parameters(BookId { id }): Parameters<BookId>) -> Result<Json<Price>, ShopError> {
        self.get(&format!("/prices/{id}")).await.map(Json)
    }

    /// Recommend books to readers of a book.
    // A value as fallback: an empty list is harmless here.
    // `read_only`: the tool changes nothing. Prefer the annotation `read_only_hint`, which clients read as well.
    #[resilient(read_only, fallback = value(Json(Books::default())))]
    #[tool]
    async fn recommend(&self, Parameters(BookId { id }): Parameters<BookId>) -> Result<Json<Books>, ShopError> {
        self.get(&format!("/recommendations/{id}")).await.map(Json)
    }

    /// Search books by their titles.
    // `rate_limit`: ten calls a minute for each caller, three of them at once. Calls above the limit are rejected with
    // a `Retry-After`. `breaker = none`: removes the default. The search runs on another machine, which works when the
    // shop's does not.
    #[resilient(rate_limit(rate = "10/1m", burst = 3, key = caller), breaker = none)]
    #[tool(annotations(read_only_hint = true))]
    async fn search(&self, Parameters(Search { words }): Parameters<Search>) -> Result<Json<Books>, ShopError> {
        self.send(self.http.get(self.url("/search")).query(&[("words", words)])).await.map(Json)
    }

    /// Make the invoice of an order.
    // `bulkhead`: two concurrent calls, because each is expensive for the shop; two more wait up to two seconds, the
    // rest is rejected. `profile`: the timeout comes from `[profile.documents]` in resilient.toml, next to Cargo.toml.
    #[resilient(bulkhead(max = 2, queue = 2, wait = "2s"), profile = "documents")]
    #[tool(annotations(read_only_hint = true))]
    async fn invoice(&self, Parameters(OrderId { id }): Parameters<OrderId>) -> Result<Json<Invoice>, ShopError> {
        self.get(&format!("/invoices/{id}")).await.map(Json)
    }

    /// Set where an order is sent.
    // A write. `idempotent`: repeating it has no further effect, so it may be retried.
    #[resilient(idempotent, retry(max = 1, base = "100ms"))]
    #[tool(annotations(read_only_hint = false))]
    async fn set_address(
        &self,
        Parameters(SetAddress { id, address }): Parameters<SetAddress>,
    ) -> Result<Json<Done>, ShopError> {
        let request = self.http.put(self.url(&format!("/orders/{id}/address")));
        self.send(request.json(&json!({ "address": address }))).await.map(Json)
    }

    /// Remind the packers of an order.
    // A write that is not idempotent: two attempts may send two mails. Without `retry_unsafe` its `retry` does not
    // compile. `name`: the name in statistics and in the log of its retries; clients still call `remind`.
    #[resilient(
        retry(max = 1, base = "100ms"),
        retry_unsafe = "two reminders are better than none",
        name = "remind-packers"
    )]
    #[tool(annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = false))]
    async fn remind(&self, Parameters(OrderId { id }): Parameters<OrderId>) -> Result<Json<Done>, ShopError> {
        self.send(self.http.post(self.url(&format!("/orders/{id}/reminders")))).await.map(Json)
    }

    /// Show when the shop is open.
    // `skip`: no policy. Panics are still caught, and correlation ids and statistics remain.
    #[resilient(skip)]
    #[tool(annotations(read_only_hint = true))]
    async fn opening_hours(&self) -> Json<Done> {
        Json(Done { says: "Monday to Saturday, 9 to 18".to_owned() })
    }
}

#[resilient]
#[tool_handler(name = "quickstart", instructions = "A book shop. Orders have the ids 1 to 5, books 1 to 3.")]
impl ServerHandler for BookShop {}
