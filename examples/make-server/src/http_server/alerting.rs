//! The alerts that the server evaluates and sends itself.

use std::{env, net::SocketAddr};

use resilient_runtime::alerts::{Alerts, Endpoint};

use crate::settings::{SettingsError, secret};

/// The job under which Prometheus scrapes the server: `job_name` in its configuration.
const JOB: &str = "make-server";

/// Returns alerts that are logged, and sent to what the variables name. The labels are those that Prometheus adds, so that
/// an Alertmanager that receives an alert from both sends it once.
pub(super) fn from_env(bind: SocketAddr) -> Result<Alerts, SettingsError> {
    let text = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let instance = text("ALERT_INSTANCE").unwrap_or_else(|| bind.to_string());
    let mut alerts = Alerts::new().log().label("job", JOB).label("instance", instance);
    if let Some(url) = secret("ALERT_WEBHOOK_URL")? {
        let endpoint = Endpoint::new(url);
        alerts = alerts.webhook(match text("ALERT_WEBHOOK_TOKEN_FILE") {
            Some(path) => endpoint.bearer_token_file(path),
            None => endpoint,
        });
    }
    if let Some(url) = text("ALERTMANAGER_URL") {
        alerts = alerts.alertmanager(url);
    }
    Ok(alerts)
}
