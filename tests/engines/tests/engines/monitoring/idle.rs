//! A server without calls after an outage.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::time::sleep;

use crate::http_server::Server;

use super::{prometheus::Prometheus, traffic::Traffic};

/// Longer than the conditions of alerts that page have to hold.
const OBSERVED: Duration = Duration::from_secs(150);

/// How long clients call while the breaker is open.
const OUTAGE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn an_idle_server_after_a_short_outage_fires_no_alert_that_pages() {
    let server = Arc::new(Server::start().await);
    let prometheus = Prometheus::start(server.origin.trim_start_matches("http://"), None).await;
    let traffic = Traffic::start(&server);
    sleep(Duration::from_secs(5)).await;
    server.enter("outage").await;
    let is_open = "resilient_breaker_state == 2";
    while prometheus.series(is_open).await == 0 {
        sleep(Duration::from_millis(200)).await;
    }
    sleep(OUTAGE).await;
    drop(traffic);

    let ended = Instant::now();
    let mut pending = false;
    while ended.elapsed() < OBSERVED {
        let alerts = prometheus.alerts().await;
        let pages = |alert: &&Value| {
            let severity = alert["labels"]["severity"].as_str().unwrap();
            alert["state"] == "firing" && ["critical", "high"].contains(&severity)
        };
        assert_eq!(alerts.iter().find(pages), None, "{:?} after the last call", ended.elapsed());
        pending |= alerts.iter().any(|alert| alert["labels"]["alertname"] == "ResilientBreakerOpen");
        sleep(Duration::from_secs(1)).await;
    }
    assert!(pending, "the alert of the breaker was never pending");
}
