//! Alerts that the process evaluates and sends itself, for servers that no Prometheus scrapes.

mod endpoint;

use std::fmt;

pub use crate::alerting::{Alert, AlertSeverity, AlertState};
pub use endpoint::Endpoint;

/// Alerts that the process evaluates and sends itself.
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
    pub(crate) log: bool,
    pub(crate) webhooks: Vec<Endpoint>,
    pub(crate) alertmanagers: Vec<Endpoint>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) client: Option<reqwest::ClientBuilder>,
}

impl Alerts {
    /// Creates alerts without a sink: they are only shown by [`Registry::alerts`](crate::Registry::alerts),
    /// [`Registry::alert_history`](crate::Registry::alert_history) and health reports.
    pub fn new() -> Self {
        Self::default()
    }

    /// Logs each alert that begins to fire, as the event `alert.firing`, and each that is resolved, as `alert.resolved`.
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Sends alerts to a webhook: a `POST` with the JSON body of Alertmanager's webhooks, version 4.
    pub fn webhook(mut self, endpoint: impl Into<Endpoint>) -> Self {
        self.webhooks.push(endpoint.into());
        self
    }

    /// Sends alerts to an Alertmanager: a `POST` to the path `/api/v2/alerts` below this URL.
    pub fn alertmanager(mut self, endpoint: impl Into<Endpoint>) -> Self {
        self.alertmanagers.push(endpoint.into());
        self
    }

    /// Adds a label to every alert that is sent, such as `job` or `instance`.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }

    /// Sets the HTTP client that sends the alerts, with your TLS settings and proxies.
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
