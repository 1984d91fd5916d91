//! Alerts at start: the endpoints that variables set, and what is wrong with them.

use std::sync::Arc;

use super::Resilience;
use crate::alerts::{Alerts, Endpoint, Evaluation};
use crate::registry::Registry;
use crate::settings::{ALERT_WEBHOOK, ALERT_WEBHOOK_TOKEN_FILE, ALERTMANAGER_URL, AlertVariables};

impl Resilience {
    /// Sets the alerts that this process evaluates and sends. See [`Alerts`].
    ///
    /// Call [`start`](Self::start) in a Tokio runtime. The alerts end with the runtime, or with [`Handle::shutdown`](super::Handle::shutdown),
    /// which sends what is not sent yet. If one of the variables with an endpoint is set, alerts are evaluated and sent to
    /// it also without this.
    ///
    /// ```
    /// use resilient_runtime::Resilience;
    /// use resilient_runtime::alerts::Alerts;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let settings = Resilience::from_variables([]).alerts(Alerts::new().log()).start().unwrap();
    /// // .. serve ..
    /// settings.shutdown().await;
    /// # }
    /// ```
    pub fn alerts(mut self, alerts: Alerts) -> Self {
        self.alerts = Some(alerts);
        self
    }
}

/// Reports what is wrong with the alerts. Returns what evaluates them, if anything has to and nothing is wrong.
pub(super) fn check(
    alerts: Option<Alerts>,
    variables: AlertVariables,
    own: Option<&Arc<Registry>>,
    problems: &mut Vec<String>,
) -> Option<Evaluation> {
    let AlertVariables { webhook, webhook_token, webhook_token_file, alertmanager } = variables;
    let is_requested = alerts.is_some() || webhook.is_some() || alertmanager.is_some();
    let mut alerts = alerts.unwrap_or_default();
    let has_token = webhook_token.is_some() || webhook_token_file.is_some();
    if webhook_token.is_some() && webhook_token_file.is_some() {
        problems.push(format!("{ALERT_WEBHOOK_TOKEN_FILE}: the token is set twice, as a text and as a file"));
    }
    match webhook {
        Some(url) => {
            let mut endpoint = Endpoint::new(url);
            endpoint = webhook_token.into_iter().fold(endpoint, Endpoint::bearer_token);
            endpoint = webhook_token_file.into_iter().fold(endpoint, Endpoint::bearer_token_file);
            alerts.add_webhook(ALERT_WEBHOOK, endpoint);
        }
        None if has_token => {
            tracing::warn!(
                event = "config.warning",
                "there is a token for the webhook of alerts, and `{ALERT_WEBHOOK}` is not set"
            );
        }
        None => {}
    }
    if let Some(url) = alertmanager {
        alerts.add_alertmanager(ALERTMANAGER_URL, Endpoint::new(url));
    }
    if is_requested { alerts.check(own, problems) } else { None }
}
