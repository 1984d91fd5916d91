//! The router for operators: what the server does, and what can be switched while it runs.

mod access;
mod body;
mod changes;
#[cfg(feature = "deferred")]
mod deferred;
mod hosts;
#[cfg(feature = "status-page")]
mod page;
mod reads;
mod refusal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use serde_json::Value;
#[cfg(feature = "config")]
use serde_json::json;
use tokio::task::JoinError;

pub use crate::access_token::InvalidToken;
use crate::access_token::{AccessToken, TokenSetting};
use crate::health::Health;
use crate::registry::Registry;
#[cfg(feature = "config")]
use crate::startup::Handle;
use access::WrongTokens;
use hosts::AllowedHosts;

/// The router for operators: it shows the state of the server, and changes it if a token is set.
///
/// **Bind it to loopback, or put it behind authentication; never serve it beside `/mcp` to all clients.** It shows the
/// error texts of all clients, whereas each client could read only its own.
///
/// | route | body |
/// |---|---|
/// | `GET /status` | the level of service with its source, what is switched off and by whom, the calls in flight; `connections` to other servers, if there are any: `server`, `state` (`up`, `connecting` or `down`), `since_unix_ms`, `restarts`, `junk_lines`, and the last 10 `errors`, newest first; `degraded`, the parts (`rate_limit`, `breaker`) that work without the state that all replicas share, if there are any |
/// | `GET /status?tool=NAME&edit=1`, if `Accept` prefers `text/html` | with the feature `status-page`: the [status page](#status-page) |
/// | `GET /errors?tool=NAME&limit=N` | `errors`, newest first: `at_unix_ms`, `correlation_id` (under which the log contains the rest), `tool`, `code`, `kind`, `text` (which the client could read), `attempts`. `groups`, by tool and code, the one with the latest error first: `count` of all errors, `first_unix_ms`, `last_unix_ms`. `trends`, the ten most frequent groups of the last 24 hours: `trend` (`rising`, `falling` or `steady`, see [`Trend`](crate::statistics::Trend)), `last_hour`, `hour_before`, `last_24_hours`, and `hours`, 24 numbers of errors, the oldest first (see [`ErrorTrend`](crate::statistics::ErrorTrend)) |
/// | `GET /breakers` | `breakers`, by name: `state`, `since_unix_ms` (absent before the first transition), `retry_after_ms` (absent if the breaker does not reject, or for no set time), `armed` (whether the next failure opens it, because the breaker of another replica has opened), its counters, and its last 20 `transitions`, newest first |
/// | `GET /policies` | `policies`, the effective policy of each known function, with values as in files and variables |
/// | `GET /deferred?state=STATE&after=ID&limit=N` | with the feature `deferred`: the `server` whose deferred writes these are, their `counts` by state, and `entries`, those that were accepted first come first: `id` (the first characters of the receipt), `tool`, `state`, `accepted_unix_ms`, `next_attempt_unix_ms`, `expires_unix_ms`, `tries`, `tries_left`, `interrupted` (tries whose process died or hung), `last_code`, `ended_unix_ms`. Arguments, callers and results are not shown |
/// | `POST /level` | `{"level": "degraded"}`, a level or `automatic`, which returns to the settings or the health |
/// | `POST /features/{name}`, `POST /tools/{name}` | `{"enabled": false}` |
/// | `POST /breakers/{name}` | `{"action": "open"}`: for one period; `close`; or `isolate`: until `close` or `open` |
/// | `POST /deferred/{id}` | `{"action": "retry"}`: a dead letter waits again, with all tries and a new time to live; `discard`: it is erased. `id` is that of `GET /deferred`, or the receipt |
/// | `POST /reload` | reads the settings again; only after [`settings`](Self::settings) |
///
/// Without `tool`, `/errors` returns the errors and trends of all tools; without `state`, `/deferred` returns the entries in all
/// states, and `after` begins the next page. `limit` is 1 to 1,000, by default 100. Any other query gets status 400. The callers are not shown. The breakers of one name's partition keys are one entry: the state is
/// that of the worst key, counts and transitions are those of all keys, and `keys` is the number of keys in each state.
/// The keys themselves are not shown. `POST /breakers/{name}` changes the breaker for calls without a key; isolating it
/// rejects the calls of every key.
///
/// All routes use the registry of `health`, and run no checks. Only those for deferred writes and the status page
/// access the store.
///
/// # Status page
///
/// With the feature `status-page`, a browser that opens `/status` gets a page instead of JSON: the health of the last
/// report, the level and the switches, the tools with their errors by hour, the breakers, the deferred writes, the
/// alerts that this process evaluates (feature `alerts`), and the last errors. `tool` restricts the list of errors to
/// one tool. The page has no script and loads nothing else; it is readable on a phone, in light and dark, and without
/// colors. It reloads itself every 30 s.
///
/// `edit=1` returns the page with a form for changes, if a token is set. That page does not reload itself, because this
/// would clear what you have typed. Enter the token once, then press the button of the change. Afterwards the browser
/// is at `status` again. If a form is refused, the answer is a page that says why.
///
/// For 1,000 tools the page has less than 1 MB and is rendered in less than 100 ms. It waits at most 2 s for the store
/// of deferred writes; then it says that the store did not answer, and shows the last counts.
///
/// # Changes
///
/// The routes with `POST` exist only if a token is set: with [`token`](Self::token), or by the variable
/// `RESILIENT_ADMIN_TOKEN` that the settings at start read. A change takes effect in this process only, and is lost
/// when it ends. Its body is JSON or a form (`application/x-www-form-urlencoded`) of at most 4 KiB; unknown fields are
/// refused. The optional field `by`, at most 64 characters, says who makes the change; the log records it as claimed.
///
/// | status | |
/// |---|---|
/// | 200 | the new state; after a form 303 to `status` |
/// | 400, 415 | the body is not as expected; the answer says what is |
/// | 404 | there is no level, feature, tool, breaker or deferred write of that name; with the name that was probably meant |
/// | 408, 413 | the body did not arrive within 5 s, or has more than 4 KiB |
/// | 409 | a setting at start forbids the change; the deferred write is not a dead letter, its key is taken, or several have this id |
/// | 422 | the new settings have problems, which the answer lists; nothing has changed |
/// | 500 | the change ended without a result; the log says why |
/// | 503 | the store of deferred writes failed or did not answer within 10 s. In the latter case the change may still happen; then it has its event |
///
/// Each change is an event `admin.changed` with `what`, `from`, `to` and `by`. There is none if everything is as it was.
///
/// Call [`Resilience::start`](crate::Resilience::start) first: a router that is built before it has none of these routes,
/// even if the settings have a token. If `RESILIENT_ADMIN_TOKEN` is invalid, which is an error of `start`, a router
/// without another token answers every request with 503.
///
/// # Access
///
/// * The `Host` must be `localhost`, `127.0.0.1`, `[::1]`, with any port, or one of
///   [`allowed_hosts`](Self::allowed_hosts); else the status is 421. This defends against web pages that reach a local
///   address by DNS rebinding. A missing or ambiguous `Host` gets 400.
/// * The `Origin`, which browsers send, must be absent or equal to the host; else the status is 403.
/// * Once a token is set, requests need it. `GET` accepts it as bearer token, or as the password of HTTP Basic with any
///   user name. `POST` accepts it as bearer token or as the field `token` of a form, but not as Basic, because browsers
///   send that by themselves. A URL that contains a parameter for it is refused with 400, because URLs are logged.
///   Cookies are not read. Otherwise the status is 401.
/// * After ten wrong tokens within a minute, every request gets 429 for a minute, with `Retry-After`, even with the
///   right token. This holds for all clients of this router together, because an address behind a proxy cannot be trusted. A
///   client that reaches the router can therefore lock operators out: restrict which clients do.
///
/// Each request that a route refuses is an event `admin.refused` with `reason`, and counts in
/// `resilient_admin_refused_total{reason}`. No response and no event contains the token. All responses of the routes
/// forbid caching, scripts, frames and content sniffing; only the status page may have its own style. Other paths are not checked: they get the 404 of the application
/// that the router is part of. A wrong method is checked and gets 405, without an event.
///
/// ```
/// use std::sync::Arc;
/// use resilient_runtime::{health::Health, http::Admin};
///
/// let operators: axum::Router = Admin::new(Arc::new(Health::new())).router();
/// // let listener = TcpListener::bind("127.0.0.1:8001").await?.tap_io(|stream| { let _ = stream.set_nodelay(true); });
/// // axum::serve(listener, operators).await?;
/// # drop(operators);
/// ```
#[must_use = "it serves nothing before `router`"]
pub struct Admin {
    health: Arc<Health>,
    hosts: AllowedHosts,
    token: Option<AccessToken>,
    reload: Option<Reload>,
}

/// Reloads the settings.
type Reload = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Reloaded> + Send>> + Send + Sync>;

/// The end of a reload: a report, or the problems for which nothing has changed. The outer error is that it did not end.
type Reloaded = Result<Result<Value, Value>, JoinError>;

/// What the routes share.
struct Shared {
    health: Arc<Health>,
    hosts: AllowedHosts,
    token: Option<AccessToken>,
    wrong_tokens: Mutex<WrongTokens>,
    reload: Option<Reload>,
    /// Whether there are routes that change something.
    has_changes: bool,
}

impl Admin {
    /// Creates a router that shows and changes the registry of `health`.
    pub fn new(health: Arc<Health>) -> Self {
        Self { health, hosts: AllowedHosts::default(), token: None, reload: None }
    }

    /// Allows more names and addresses in `Host`, besides those of loopback: `"ops.example.org"` with any port, or
    /// `"ops.example.org:8443"` with this one.
    pub fn allowed_hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        for host in hosts {
            self.hosts.add(&host.into());
        }
        self
    }

    /// Sets the token that requests need, instead of the variable `RESILIENT_ADMIN_TOKEN`.
    ///
    /// # Errors
    /// [`InvalidToken`] if it has less than 16 characters, or one that is not visible ASCII.
    pub fn token(mut self, token: impl Into<String>) -> Result<Self, InvalidToken> {
        self.token = Some(AccessToken::new(token)?);
        Ok(self)
    }

    /// Lets `POST /reload` read the settings again through this handle.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use resilient_runtime::{Resilience, health::Health, http::Admin};
    ///
    /// # fn main() -> Result<(), resilient_runtime::startup::InvalidSettings> {
    /// let settings = Resilience::from_variables([]).start()?;
    /// let operators: axum::Router = Admin::new(Arc::new(Health::new())).settings(&settings).router();
    /// # drop(operators);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "config")]
    pub fn settings(self, settings: &Handle) -> Self {
        let settings = settings.clone();
        self.reload_with(Arc::new(move || {
            let settings = settings.clone();
            Box::pin(async move {
                // A file may be on a slow file system.
                let reloaded = tokio::task::spawn_blocking(move || settings.reload()).await?;
                Ok(match reloaded {
                    Ok(report) => Ok(json!(report)),
                    Err(invalid) => Err(json!({ "problems": invalid.problems() })),
                })
            })
        }))
    }

    /// Reloads the settings in this way on `POST /reload`.
    #[cfg(any(feature = "config", test))]
    fn reload_with(mut self, reload: Reload) -> Self {
        self.reload = Some(reload);
        self
    }

    /// Builds the router, for an application with any state. It can be nested under a path.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let Self { health, hosts, token, reload } = self;
        health.registry().admin_refusals.begin();
        let wrong_tokens = Mutex::default();
        let mut shared = Shared { health, hosts, token, reload, wrong_tokens, has_changes: false };
        shared.has_changes = matches!(shared.token(), Token::Is(_));
        let shared = Arc::new(shared);
        #[cfg(feature = "status-page")]
        let status = get(page::status);
        #[cfg(not(feature = "status-page"))]
        let status = get(reads::status);
        let mut router = Router::new()
            .route("/status", status)
            .route("/errors", get(reads::errors))
            .route("/breakers", get(reads::breakers))
            .route("/policies", get(reads::policies));
        #[cfg(feature = "deferred")]
        {
            router = router.route("/deferred", get(deferred::list));
        }
        let registry = shared.registry();
        registry.has_unchanging_admin.fetch_or(matches!(shared.token(), Token::Unset), Ordering::Relaxed);
        if shared.has_changes {
            // From now on the level can change at any time, so calls in flight are counted.
            registry.gate.activate();
            router = router
                .route("/level", post(changes::level))
                .route("/features/{name}", post(changes::feature))
                .route("/tools/{name}", post(changes::tool))
                .route("/breakers/{name}", post(changes::breaker));
            #[cfg(feature = "deferred")]
            {
                router = router.route("/deferred/{id}", post(deferred::change));
            }
            if shared.reload.is_some() {
                router = router.route("/reload", post(changes::reload));
            }
        }
        router.route_layer(from_fn_with_state(Arc::clone(&shared), access::check)).with_state(shared)
    }
}

impl Shared {
    fn registry(&self) -> &Registry {
        self.health.registry()
    }

    /// Returns the token of the author, else that of the settings at start.
    fn token(&self) -> Token<'_> {
        match (&self.token, self.registry().admin_token.get()) {
            (Some(token), _) | (None, Some(TokenSetting::Valid(token))) => Token::Is(token),
            (None, Some(TokenSetting::Invalid)) => Token::Invalid,
            (None, None) => Token::Unset,
        }
    }
}

/// The token that requests need.
enum Token<'a> {
    Is(&'a AccessToken),
    /// There should be one, and no request can present it.
    Invalid,
    Unset,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
