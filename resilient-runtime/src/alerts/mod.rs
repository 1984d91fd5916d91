//! Alerts that the process evaluates and sends itself, for servers that no Prometheus scrapes.
//!
//! Every 15 s, the conditions of the rules are evaluated over the [`statistics`](crate::statistics) of the last hour. An
//! alert is *pending* while its condition holds, *fires* once the condition has held for as long as its rule requires, and
//! is *resolved* when the condition no longer holds. A pending alert whose condition ends has not fired, and no sink
//! receives it.
//!
//! The rules are those that the module `operations` generates for Prometheus (feature `prometheus`), with the same names,
//! thresholds, windows and texts, but without those that need more than an hour of history or another process:
//! `ResilientServerDown`, `ResilientSlowerThanYesterday`, `ResilientBurnRateMedium` and `ResilientBurnRateSlow`. If the
//! process pauses for more than a minute, conditions that were pending begin again. If the computer was suspended, or the
//! wall clock was set forward by more than a minute, the history begins again too.
//!
//! # Sinks
//!
//! | sink | receives | again, while it fires |
//! |---|---|---|
//! | [`log`](Alerts::log) | the events `alert.firing` and `alert.resolved` | |
//! | [`webhook`](Alerts::webhook) | `POST` with the JSON body of Alertmanager's webhooks, version 4, which contains all alerts of one name | after the time that the rule says: 5 minutes to 12 hours |
//! | [`alertmanager`](Alerts::alertmanager) | `POST /api/v2/alerts` | every minute |
//!
//! Silences, inhibitions, grouping and escalation are Alertmanager's: send there if you need them.
//!
//! No call ever waits for a sink. Each sink has a task, and holds what fires and up to 1,000 resolved alerts that were not
//! sent. The body of a request is made when it is sent: after an outage of the receiver, a webhook receives one notification
//! for each name, with what fires then and what was resolved meanwhile. A receiver may get a notification twice, and may
//! receive that an alert is resolved without having received that it fires.
//!
//! A request has a deadline of 10 s. If it fails, it is tried again after 1 s, 2 s and so on up to a minute, each up to a
//! half shorter at random. Other notifications of a webhook do not wait for one that fails. How often a request is tried
//! depends on the response:
//!
//! | response | tries |
//! |---|---|
//! | none | until there is one |
//! | 408, 429, 5xx | 60, which take 30 to 60 minutes if nothing else is sent |
//! | 401, 403, 404 | 10, which take 2 to 5 minutes: a token or a route may be about to be replaced |
//! | any other but 2xx | 1. Redirects are not followed |
//!
//! The first failure of several is logged as `alert.sink_failed`, the next success as `alert.sink_recovered`. Changes for
//! which there is no room, which are given up after the last try, or which are not sent within 5 s when the server stops,
//! are logged as `alert.lost` and counted in `resilient_alerts_lost_total` by `sink`. What fires is not lost for an
//! Alertmanager, because it is sent again.
//!
//! When the server stops, what fires is not sent as resolved, because it is not known to be over. Alertmanager resolves it
//! after 4 minutes. A receiver of a webhook that keeps incidents by fingerprint has to close those that are not repeated; a
//! label `instance` that stays the same after a restart lets the next process repeat and resolve them.
//!
//! # Contents
//!
//! Alerts contain names from the code (tools, breakers, codes of errors) and numbers, and nothing that a client has sent.
//! Sent alerts also have the labels of [`Alerts::label`]. Without a label `instance`, they have one with the name of the host
//! and the id of the process, so that Alertmanager keeps the alerts of several processes apart.
//!
//! There are at most 1,000 alerts at a time; further conditions wait. The history of at most 1,000 tools, 1,000 breakers and
//! 1,000 pairs of tool and code with errors is kept at a time; further ones are evaluated when others have been idle for an
//! hour. Both limits are logged as `alert.limited` when they are reached.
//!
//! # Who else shows them
//!
//! [`Registry::alerts`](crate::Registry::alerts) returns what is pending and fires,
//! [`Registry::alert_history`](crate::Registry::alert_history) the last 100 changes. What fires is in health reports, and so
//! in the response of the tool `health_check` and of `/healthz`. It does not change the status of the report.

mod alertmanager;
mod conditions;
mod counter;
mod endpoint;
mod evaluation;
mod history;
mod outbox;
mod payload;
mod post;
mod sample;
mod sink;
mod start;
mod webhook;

use std::fmt;

pub use crate::alerting::{Alert, AlertSeverity, AlertState};
pub use endpoint::Endpoint;
pub(crate) use evaluation::Evaluation;

/// Alerts that the process evaluates and sends itself. See the [module](self).
///
/// ```no_run
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use resilient_runtime::Resilience;
/// use resilient_runtime::alerts::{Alerts, Endpoint};
///
/// let chat = Endpoint::new("http://127.0.0.1:9000/hooks/alerts").bearer_token_file("/run/secrets/hook");
/// let alerts = Alerts::new().log().webhook(chat).alertmanager("http://127.0.0.1:9093");
/// let settings = Resilience::from_env().alerts(alerts).start()?;
/// // .. serve ..
/// settings.shutdown().await;
/// # Ok(()) }
/// ```
#[derive(Default)]
#[must_use = "alerts are evaluated once `Resilience::start` has them"]
pub struct Alerts {
    log: bool,
    /// Each with the place where it was set.
    webhooks: Vec<(&'static str, Endpoint)>,
    alertmanagers: Vec<(&'static str, Endpoint)>,
    labels: Vec<(String, String)>,
    runbooks: Option<String>,
    client: Option<reqwest::ClientBuilder>,
}

impl Alerts {
    /// Creates alerts without a sink: they are only shown by [`Registry::alerts`](crate::Registry::alerts),
    /// [`Registry::alert_history`](crate::Registry::alert_history) and health reports.
    pub fn new() -> Self {
        Self::default()
    }

    /// Logs each alert that begins to fire, as the event `alert.firing` at the level error, and each that is resolved, as
    /// `alert.resolved` at the level info.
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Sends alerts to a webhook: a `POST` with the JSON body of Alertmanager's webhooks, version 4. A receiver for
    /// Alertmanager also works here.
    ///
    /// HTTPS needs a feature of `reqwest` for TLS in your `Cargo.toml`.
    pub fn webhook(mut self, endpoint: impl Into<Endpoint>) -> Self {
        self.add_webhook("`Alerts::webhook`", endpoint.into());
        self
    }

    /// Sends alerts to an Alertmanager of version 0.16 or later: a `POST` to the path `/api/v2/alerts` below this URL.
    ///
    /// HTTPS needs a feature of `reqwest` for TLS in your `Cargo.toml`.
    pub fn alertmanager(mut self, endpoint: impl Into<Endpoint>) -> Self {
        self.add_alertmanager("`Alerts::alertmanager`", endpoint.into());
        self
    }

    /// Adds a label to every alert that is sent, such as `job`. A later value for the same name replaces an earlier one.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Sets the URL of the folder with the runbooks, of which the annotation `runbook_url` is a page: `breaker-open.md` for
    /// `ResilientBreakerOpen`. Default `deploy/runbooks/`, the folder with the runbooks in the repository of this crate.
    pub fn runbooks(mut self, url: impl Into<String>) -> Self {
        self.runbooks = Some(url.into());
        self
    }

    /// Sets the HTTP client that sends the alerts, with your proxies and settings for TLS. It is built without redirects.
    ///
    /// ```
    /// use resilient_runtime::alerts::Alerts;
    ///
    /// let client = reqwest::Client::builder().no_proxy().user_agent("orders");
    /// let alerts = Alerts::new().alertmanager("http://127.0.0.1:9093").client(client);
    /// # drop(alerts);
    /// ```
    pub fn client(mut self, client: reqwest::ClientBuilder) -> Self {
        self.client = Some(client);
        self
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, webhooks, alertmanagers, .. } = self;
        let mut shown = f.debug_struct("Alerts");
        shown.field("log", log).field("webhooks", webhooks).field("alertmanagers", alertmanagers);
        shown.finish_non_exhaustive()
    }
}
