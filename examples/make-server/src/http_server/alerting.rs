//! The alerts that the server evaluates and sends itself.

use std::{env, net::SocketAddr};

use resilient_runtime::alerts::Alerts;

/// The job under which Prometheus scrapes the server: `job_name` in its configuration.
const JOB: &str = "make-server";

/// Returns alerts that are logged, with the labels that Prometheus adds. The variables `RESILIENT_ALERT_WEBHOOK` and
/// `RESILIENT_ALERTMANAGER_URL` name where they are sent besides.
pub(super) fn from_env(bind: SocketAddr) -> Alerts {
    let instance = env::var("ALERT_INSTANCE").ok().filter(|value| !value.is_empty());
    Alerts::new().log().label("job", JOB).label("instance", instance.unwrap_or_else(|| bind.to_string()))
}
